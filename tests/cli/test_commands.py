import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import discern
from discern.cli.options import list_fixes
from discern.recipes import list_recipe_names, read_recipe_text
from pictures import QUICK, WITH_PAGE, draw_photos

HEAVY = ("torch", "torchvision", "timm", "pandas", "sklearn", "matplotlib", "scipy", "numpy")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "--help"], ["recipes", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; sys.argv = ['discern', *sys.argv[1:]]\n"
        "from discern.cli.app import main\n"
        "try: main()\n"
        f"finally: print('HEAVY', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "Usage: discern" in done.stdout
    assert "HEAVY []" in done.stdout


def test_importing_the_package_imports_nothing_heavy():
    code = f"import sys, discern; print([name for name in {HEAVY} if name in sys.modules], sorted(discern.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ['BadImageError',")
    assert {"DiscernError", "ImageClassifier", "Plan", "Predictor", "Run", "__version__"} <= set(discern.__all__)


def test_every_public_name_is_found_where_it_is_said_to_be():
    assert all(hasattr(discern, name) for name in discern.__all__)


def test_recipes_are_listed_and_shown_as_toml_that_can_be_used(run_cli, tmp_path):
    code, listing, _ = run_cli("recipes")
    assert code == 0
    assert all(re.search(rf"^{name}$", listing, re.MULTILINE) for name in list_recipe_names())
    code, shown, _ = run_cli("recipes", "show", "airplanes", "training.batch_size=4")
    assert tomllib.loads(shown)["training"]["batch_size"] == 4
    assert shown.startswith("#:schema ./recipe.schema.json\n")
    (tmp_path / "mine.toml").write_text(shown)
    code, again, _ = run_cli("recipes", "show", tmp_path / "mine.toml")
    assert (code, again) == (0, shown)


def test_every_recipe_has_the_form_of_the_schema(run_cli, tmp_path):
    code, text, _ = run_cli("recipes", "schema", "--out", tmp_path / "recipe.schema.json")
    assert (code, f"written: {tmp_path / 'recipe.schema.json'}" in text) == (0, True)
    schema = json.loads((tmp_path / "recipe.schema.json").read_text())
    _, printed, _ = run_cli("recipes", "schema")
    assert json.loads(printed) == schema
    validator = pytest.importorskip("jsonschema").Draft202012Validator(schema)
    for name in list_recipe_names():
        validator.validate(tomllib.loads(read_recipe_text(name)))
    assert not validator.is_valid({"training": {"epcohs": 3}})
    assert validator.is_valid({"extends": "auto", "training": {"epochs": 3, "learning_rate": "auto"}})


def test_a_schedule_is_drawn_without_training(run_cli, tmp_path):
    code, _, _ = run_cli("recipes", "show", "auto", "--schedule", tmp_path / "rates.png")
    assert code == 0
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run_cli("recipes", "show", "auto", "--schedule", tmp_path / "rates.svg")
    assert code == 2
    assert "does not end in .png" in err


def test_rates_are_printed_as_comments_without_training(run_cli):
    code, shown, _ = run_cli("recipes", "show", "mlp-head", "--rates")
    assert code == 0
    assert tomllib.loads(shown)["recipe"]["name"] == "mlp-head"
    rates = [float(line.split()[-1]) for line in shown.splitlines() if line.startswith("# epoch")]
    assert rates == pytest.approx([1e-3] * 5 + [1e-4] * 5 + [1e-5] * 5)


def test_settings_are_listed(run_cli):
    code, out, _ = run_cli("recipes", "settings")
    assert code == 0
    assert "label_smoothing = 0.0" in out


def test_weights_are_listed(run_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    for arguments in (("weights",), ("weights", "list")):
        code, out, _ = run_cli(*arguments)
        assert code == 0
        assert "resnet50" in out
        assert "https://download.pytorch.org/models/resnet50-" in out
        assert "not downloaded" in out
    code, out, _ = run_cli("weights", "list", "mobilenetv2_100")
    assert (code, "resnet50" in out) == (0, False)
    assert "timm:mobilenetv2_100.ra_in1k" in out.splitlines()
    code, _, err = run_cli("weights", "list", "no-such-network")
    assert (code, err.startswith("discern: no published weights have 'no-such-network'")) == (2, True)


def test_the_whole_line_from_pictures_to_answers(run_cli, photos, tmp_path, monkeypatch):
    out = tmp_path / "run"
    monkeypatch.setattr("discern.planning.announcement._FEW_PIXELS", 0)
    code, text, _ = run_cli("train", photos, "--recipe", "table", "--out", out, *QUICK, *WITH_PAGE)
    assert code == 0
    assert "36 pictures of 3 classes: 24 train, 6 validation, 6 test" in text
    assert "classes: 0 = blue, 1 = green, 2 = red" in text
    assert re.search(r"^time: about [\d.]+ (to \d+ )?s on this machine: \d+ s for 1 epoch of", text, re.MULTILINE)
    assert text.index("time: about") < text.index("phase all: ")
    assert text.splitlines()[-2].startswith(f"next: discern predict {out}")
    assert text.splitlines()[-1] == f"report: {out / 'report.html'}"
    code, _, _ = run_cli("predict", out, photos / "red", photos / "blue" / "*.png", "--out", tmp_path / "answers.csv")
    assert code == 0
    assert len(pd.read_csv(tmp_path / "answers.csv")) == 24
    code, text, _ = run_cli("evaluate", out, photos)
    assert code == 0
    assert "36 pictures" in text
    assert (out / "evaluation" / photos.name / "metrics.json").is_file()


def test_predict_exits_with_one_when_some_pictures_cannot_be_read(run_cli, trained_run, tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=1)
    (photos / "red" / "bad.png").write_bytes(b"bad")
    code, _, err = run_cli("predict", trained_run, photos, "--out", tmp_path / "answers.csv")
    assert code == 1
    assert "bad.png: " in err
    assert len(pd.read_csv(tmp_path / "answers.csv")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "give the labelled pictures"),
        (["train", "no/such/folder"], "no/such/folder"),
        (["train", "x", "--resume"], "--resume needs the run folder: --out RUN"),
        (["train", "{photos}", "--recipe", "nonsense", "--out", "{tmp}/run"], "no recipe 'nonsense'"),
        (["train", "{photos}", "model.bakcbone=x", "--out", "{tmp}/run"], "did you mean model.backbone?"),
        (["train", "{photos}", "backbone=resnet51", "--out", "{tmp}/run"], "resnet50"),
        (["train", "{photos}", "device=cuda:9", "--out", "{tmp}/run"], "run.device=cuda:9 cannot be used"),
        (
            ["train", "{photos}", "device=toaster", "--out", "{tmp}/run"],
            "toaster is no device; expected auto, cpu, cuda,",
        ),
        (["train", "{photos}", "--out", "{run}"], "already holds a run"),
        (["train", "--resume", "--out", "{run}"], "is complete; there is nothing to resume"),
        (["predict", "{tmp}", "{photos}"], "holds no trained classifier"),
        (["evaluate", "{run}/report.html", "{photos}"], "report.html holds no trained classifier"),
        (["evaluate", "{tmp}/none", "{photos}"], "none holds no trained classifier"),
        (["predict", "{run}", "nowhere.png"], "nowhere.png"),
        (["predict", "{run}", "{photos}", "--like", "{tmp}/none.csv"], "none.csv"),
        (["predict", "{run}", "{photos}", "--like", "x.csv", "--top-k", "2"], "--like takes its columns from"),
        (["evaluate", "{run}", "{photos}", "--on-bad", "maybe", "--out", "{tmp}/e"], "data.on_bad"),
        (["predict", "{run}", "{photos}", "--tta", "mirror"], "tta is 'mirror'; expected none, flip, five"),
        (["evaluate", "{run}", "{photos}", "--tta", "auto", "--out", "{tmp}/e"], "auto is for training, which chooses"),
        (["train", "{photos}", "tta=mirror", "--out", "{tmp}/run"], "training.tta"),
        (["recipes", "show", "nonsense"], "no recipe 'nonsense'"),
        (["weights", "fetch", "resnet18-half"], "resnet18-half"),
    ],
)
def test_errors_are_for_people(run_cli, photos, trained_run, tmp_path, arguments, message):
    """One text on standard error that says what is wrong, exit code 2, no traceback."""
    places = {"photos": photos, "run": trained_run, "tmp": tmp_path}
    code, _, err = run_cli(*(argument.format(**places) for argument in arguments))
    assert code == 2
    assert err.startswith("discern: ")
    assert message in err
    assert "Traceback" not in err


def test_the_default_run_folder_is_named_after_the_data_and_never_reused(run_cli, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for expected in (f"runs/{photos.name}", f"runs/{photos.name}-2"):
        code, _, _ = run_cli("train", photos, "--recipe", "table", *QUICK)
        assert code == 0
        assert (tmp_path / expected / "bundle" / "bundle.json").is_file()


def test_a_full_disk_is_told_in_one_line(run_cli, trained_run, photos):
    code, _, err = run_cli("predict", trained_run, photos, "--out", "/dev/full/answers.csv")
    assert code == 2
    assert err.startswith("discern: ")
    assert len(err.splitlines()) == 1


def test_fixes_are_an_override_for_every_command_that_reads_labels() -> None:
    assert list_fixes(None) == []
    assert list_fixes([Path("a b.csv"), Path("c.csv")]) == ['data.fixes=["a b.csv", "c.csv"]']
    for name in ("train", "tune", "compare", "evaluate"):
        assert "apply" in inspect.signature(getattr(importlib.import_module(f"discern.cli.{name}"), name)).parameters
