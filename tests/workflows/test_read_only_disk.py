"""What is said when the disk of a folder is read-only: in which place the same goes on, or that another one will do."""

import errno

import pandas as pd
import pytest
from safetensors.torch import save_file

from discern.errors import WriteError
from discern.files import explain_write_error
from discern.models.backbone import build_backbone
from discern.tuning.shared_folder import DEFINITION, going_on_in
from discern.workflows.compare import compare
from discern.workflows.fieldcheck import fieldcheck
from discern.workflows.label import label
from discern.workflows.leave_out import leave_out
from discern.workflows.train import train
from discern.workflows.tune import tune
from pictures import QUICK

MEND = "cannot be written: the disk is read-only. Make it writable, then "


@pytest.fixture
def table(photos, tmp_path):
    """The photos as a table with a column of places."""
    rows = [(str(path), path.parent.name, "ab"[place % 2]) for place, path in enumerate(sorted(photos.rglob("*.png")))]
    path = tmp_path / "photos.csv"
    pd.DataFrame(rows, columns=["image", "label", "place"]).to_csv(path, index=False)
    return path


@pytest.fixture
def begin(photos, table, trained_run, tmp_path):
    """Begin what a command does, in a new folder."""
    out, weights = tmp_path / "out", tmp_path / "random.safetensors"
    state = build_backbone("resnet18-half").network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, weights)
    network = ["model.backbone=resnet18-half", f"model.weights={weights}", "data.image_size=32"]
    commands = {
        "train": lambda: train(photos, out=out, recipe="table", overrides=QUICK),
        "compare": lambda: compare(photos, out=out, recipes=["table"], varied=["model.dropout=0.1,0.2"]),
        "leave_out": lambda: leave_out(table, "place", out=out, recipe="table", overrides=QUICK),
        "tune": lambda: tune(photos, out=out, recipe="table", trials=1),
        "label": lambda: label(photos, out=out, overrides=network, port=0),
        "fieldcheck": lambda: fieldcheck(trained_run, photos, out=out, label=5),
    }
    return lambda name: commands[name]()


@pytest.mark.parametrize("name", ["train", "compare", "leave_out", "tune", "label", "fieldcheck"])
def test_before_anything_has_begun_another_place_does_as_well(begin, name, monkeypatch):
    def refuse(_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(WriteError) as caught:
        begin(name)
    assert str(caught.value).endswith(f"{MEND}make the same call again, or give another place")
    said = caught.value.for_command_line()
    assert said.endswith(f"{MEND}run the same command again, or give another place")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EROFS, MEND), (errno.EACCES, "right to write there. Get it, then ")]
)
def test_what_has_begun_goes_on_where_it_is(tmp_path, number, remedy):
    (tmp_path / DEFINITION).touch()
    with pytest.raises(WriteError) as caught, going_on_in(tmp_path):
        raise explain_write_error(OSError(number, "it fails"), tmp_path / "table.csv")
    assert str(caught.value).endswith(f'{remedy}make the same call again with out="{tmp_path}"')
    assert caught.value.for_command_line().endswith(f"{remedy}run the same command again with --out {tmp_path}")
