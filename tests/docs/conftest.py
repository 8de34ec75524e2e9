"""The folder in which the code blocks of the documentation are run, and what keeps them quick."""

import inspect
import shutil
import sys
from importlib import import_module

import pandas as pd
import pytest

from discern.config.load import load_settings
from discern.predictor.evidence import Evidence
from pictures import QUICK, WITH_PAGE, draw_photo, draw_photos

LONG = (
    ("discern.workflows.train", "train"),
    ("discern.workflows.resume", "resume"),
    ("discern.workflows.export", "export"),
    ("discern.workflows.export", "verify_export"),
    ("discern.workflows.push", "push"),
    ("discern.workflows.compare", "compare"),
    ("discern.workflows.leave_out", "leave_out"),
    ("discern.workflows.fieldcheck", "fieldcheck"),
    ("discern.workflows.label", "label"),
    ("discern.workflows.merge_labels", "merge_labels"),
    ("discern.workflows.tune", "tune"),
    ("discern.workflows.serve", "serve"),
    ("discern.workflows.review", "review"),
    ("discern.workflows.studio", "studio"),
    ("discern.workflows.demo", "run_demo"),
    ("discern.models.weights.pretrained", "fetch_weights"),
)
"""What a command of a page does not do, since it takes long, waits or downloads: its arguments are checked instead."""


@pytest.fixture(scope="session")
def documented_folder(trained_run, tmp_path_factory):
    """The files that the pages speak of."""
    folder = tmp_path_factory.mktemp("documented")
    draw_photos(folder / "photos", per_class=12)
    draw_photos(folder / "held_out", per_class=2, first_seed=500)
    for name in ("new", "test", "images"):
        (folder / name).mkdir()
        for number in range(4):
            draw_photo((200, 50, 40), number).save(folder / name / f"{number}.jpg")
    for name in ("photo.jpg", "a.jpg", "b.png"):
        draw_photo((40, 60, 200), 7).save(folder / name)
    (folder / "names.txt").write_text("blue\ngreen\nred\n")
    table = pd.DataFrame({"id": range(4), "label": ["red", "blue", "red", "blue"]})
    table.to_csv(folder / "train.csv", index=False)
    table.assign(label="red").to_csv(folder / "sample_submission.csv", index=False)
    shutil.make_archive(str(folder / "held_out"), "zip", folder / "held_out")
    for name in ("birds", "birds-2"):
        shutil.copytree(trained_run, folder / "runs" / name)
    return folder


@pytest.fixture
def page_folder(page, documented_folder, tmp_path, monkeypatch):
    """The folder in which the blocks of one page are run: empty for a tutorial, which makes all that it needs."""
    folder = tmp_path / "page"
    if is_tutorial(page):
        folder.mkdir()
    else:
        shutil.copytree(documented_folder, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def promises_of_few_pictures(monkeypatch):
    """Let the few validation pictures here support any share of wrong answers; the pages speak of hundreds."""
    choose = Evidence.choose_operating_point
    monkeypatch.setattr(Evidence, "choose_operating_point", lambda self, max_error: choose(self, max(max_error, 0.95)))


@pytest.fixture
def quick_trainings(page, monkeypatch):
    """Let every training that needs weights train a small network without them, for an epoch.

    The frozen network of a tutorial trains as it is written there: it is quick, and good enough for its mistakes to be
    few, each of which gets a figure.
    """
    quick = (*QUICK, *WITH_PAGE) if is_tutorial(page) else QUICK

    def load_quick_settings(recipe="auto", overrides=()):
        settings = load_settings(recipe, overrides)
        is_quick = settings.model.weights == "none" or (is_tutorial(page) and recipe == "transfer")
        return settings if is_quick else load_settings(recipe, [*overrides, *quick])

    monkeypatch.setattr("discern.workflows.train.load_settings", load_quick_settings)


@pytest.fixture
def check_long_calls(page):
    """A function that lets every long call end the command after a check of arguments, recipe and settings."""

    def patch_calls(patch):
        for place, name in LONG:
            if not (is_tutorial(page) and name in ("train", "export")):
                module = import_module(place)
                patch.setattr(module, name, _build_check(inspect.signature(getattr(module, name))))

    return patch_calls


def is_tutorial(page):
    return page.parent.name == "tutorials"


def _build_check(signature):
    def check(*arguments, **options):
        given = signature.bind(*arguments, **options).arguments
        if "overrides" in given:
            for recipe in given.get("recipes") or [given.get("recipe") or "auto"]:
                load_settings(recipe, given["overrides"])
        sys.exit(0)

    return check
