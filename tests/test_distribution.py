"""The packages that are uploaded: their names, their files, and what they need."""

import re
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import get_args

import pytest
from hatchling.build import build_sdist, build_wheel

import discern
from discern.errors import Extra, install_command

SOURCE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(SOURCE)
        return zipfile.ZipFile(folder / build_wheel(str(folder)))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(wheel.read(f"discern_vision-{discern.__version__}.dist-info/METADATA").decode())


def test_the_distribution_has_its_own_name_and_the_library_s_version(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("discern-vision", discern.__version__)
    assert install_command("serve") == "pip install 'discern-vision[serve]'"


def test_every_extra_that_a_message_names_can_be_installed(metadata: Message) -> None:
    assert set(get_args(Extra)) <= set(metadata.get_all("Provides-Extra", []))


def test_the_wheel_holds_the_library_with_all_its_files_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    files = [path for path in (SOURCE / "src" / "discern").rglob("*") if path.is_file()]
    expected = {path.relative_to(SOURCE / "src").as_posix() for path in files if path.suffix != ".pyc"}
    information = f"discern_vision-{discern.__version__}.dist-info"
    names = {name for name in wheel.namelist() if not name.startswith(information)}
    assert names == expected
    assert {"discern/py.typed", "discern/recipes/auto.toml", "discern/demo/pretrained.safetensors"} <= names
    assert wheel.read(f"{information}/entry_points.txt").decode().split("\n")[1] == "discern = discern.cli.app:main"
    assert f"{information}/licenses/LICENSE" in wheel.namelist()


def test_the_source_distribution_holds_what_builds_and_tests_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SOURCE)
    name = build_sdist(str(tmp_path))
    with tarfile.open(tmp_path / name) as archive:
        names = {path.partition("/")[2] for path in archive.getnames()}
    needed = {"pyproject.toml", "Makefile", "README.md", "requirements.lock", "requirements-dev.lock", "LICENSE"}
    assert name == f"discern_vision-{discern.__version__}.tar.gz"
    assert needed | {"tests/conftest.py", "benchmarks/__main__.py", "tools/pretrain_demo.py"} <= names
    assert not [path for path in names if "__pycache__" in path or path.startswith((".git/", ".venv/"))]


def test_the_lock_files_hold_what_the_library_needs_in_the_same_versions(metadata: Message) -> None:
    used, for_development = (
        set(re.findall(r"^\S+==\S+", (SOURCE / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    needed = {re.match(r"[\w-]+", line)[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert needed <= {pin.partition("==")[0] for pin in used}
    assert used <= for_development
