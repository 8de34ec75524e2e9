import dataclasses
from pathlib import Path

import pytest

from discern.bundle import load_bundle, save_bundle


@pytest.fixture(scope="session")
def exported_onnx(trained_run, tmp_path_factory):
    """The trained run as an ONNX file with its certificate; tests must not change it."""
    from discern.workflows.export import export

    return export(trained_run, out=tmp_path_factory.mktemp("exported") / "colours.onnx")


@pytest.fixture
def make_bundle(trained_run, tmp_path):
    """Write a bundle like the trained run's, with some parts replaced, and return its folder."""

    def make(**parts):
        folder = tmp_path / "changed" / "bundle"
        save_bundle(dataclasses.replace(load_bundle(trained_run), **parts), folder)
        return folder

    return make


@pytest.fixture(scope="session")
def example() -> Path:
    return Path(__file__).resolve().parents[2] / "examples" / "onnx_predict.py"
