"""Several processes of one job, as torchrun starts them, against one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import save_file

from discern.data.table import natural_sort
from discern.errors import RunFolderError
from discern.models.backbone import build_backbone
from discern.workflows.predict import predict
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import draw_photos
from shards import write_shard

OVERRIDES = [
    "model.backbone=resnet18-half",
    "model.weights=none",
    "data.image_size=32",
    "training.batch_size=8",
    "training.accumulation_steps=2",
    "training.phases.head.epochs=2",
    "training.phases.all.epochs=3",
    # The shares are uneven in every split: 15 train, 15 validation and 9 test pictures in 2 processes.
    "data.split=[0.4, 0.37, 0.23]",
    "optimizer=sgd",
    "learning_rate=0.02",
    "frozen_batchnorm=true",
    "run.precision=fp32",
    "run.threads=1",
    "run.determinism=true",
]
DIES_IN_EPOCH_4 = """
import sys
from discern.training.listeners import LogLines
from discern.workflows.train import train

log_epoch = LogLines.on_epoch_end
def on_epoch_end(self, rows, *, is_best):
    log_epoch(self, rows, is_best=is_best)
    if len(rows) == 4:
        raise RuntimeError("the machine burns")
LogLines.on_epoch_end = on_epoch_end
train(sys.argv[1], out=sys.argv[2], recipe="transfer-finetune", overrides=sys.argv[3:])
"""


def run_in_two(arguments):
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**environment, "OMP_NUM_THREADS": "1"},
        check=False,
    )


@pytest.fixture(scope="module")
def uneven_photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("uneven"), per_class=13)


@pytest.fixture(scope="module")
def of_one(uneven_photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("one") / "run"
    train(uneven_photos, out=out, recipe="transfer-finetune", overrides=OVERRIDES, verbose=False)
    return out


@pytest.fixture(scope="module")
def of_two(uneven_photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("two") / "run"
    command = ["train", str(uneven_photos), "--recipe", "transfer-finetune", "--out", str(out), *OVERRIDES]
    done = run_in_two(["-m", "discern", *command])
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def assert_same_table(one: Path, other: Path, tolerance: float):
    ours, theirs = pd.read_csv(one), pd.read_csv(other)
    time = [name for name in ("seconds", "images_per_second") if name in ours]
    pd.testing.assert_frame_equal(ours.drop(columns=time), theirs.drop(columns=time), rtol=tolerance, atol=tolerance)


def test_two_processes_learn_and_count_what_one_does(of_one, of_two):
    """Both phases: the first on features of frozen layers, the second on pictures."""
    out, _ = of_two
    assert_same_table(of_one / "history.csv", out / "history.csv", 1e-5)
    assert_same_table(of_one / "evaluation" / "predictions.csv", out / "evaluation" / "predictions.csv", 1e-5)


def test_two_processes_learn_from_shards_what_they_learn_from_files(uneven_photos, of_two, tmp_path):
    """Shards by class give the pictures the ids of their files, and with them the same split and order."""
    for folder in uneven_photos.iterdir():
        files = []
        for name in natural_sort(path.name for path in folder.iterdir()):
            files += [(name, (folder / name).read_bytes()), (name.replace(".png", ".cls"), folder.name.encode())]
        write_shard(tmp_path / "shards" / f"{folder.name}.tar", files)
    out = tmp_path / "run"
    pattern = str(tmp_path / "shards" / "{blue,green,red}.tar")
    done = run_in_two(
        ["-m", "discern", "train", pattern, "--recipe", "transfer-finetune", "--out", str(out), *OVERRIDES]
    )
    assert done.returncode == 0, done.stderr
    assert_same_table(of_two[0] / "history.csv", out / "history.csv", 0)
    ours, theirs = (pd.read_csv(run / "evaluation" / "predictions.csv") for run in (out, of_two[0]))
    assert ours["path"].str.fullmatch(r".+/(blue|green|red)\.tar@\d+\+\d+/\d+\.png").all()
    pd.testing.assert_frame_equal(ours.drop(columns="path"), theirs.drop(columns="path"), check_exact=True)
    data = [json.loads((run / "environment.json").read_text())["data"]["fingerprint"] for run in (out, of_two[0])]
    assert data[0] == data[1]


def test_the_first_process_alone_speaks_and_writes(of_two):
    out, output = of_two
    assert output.count("epoch 4 of 5, all: ") == 1
    assert output.count("the run is complete") == 1
    assert (out / "log.txt").read_text().count("the run is complete") == 1
    assert "2 processes (2 on this machine)" in output
    assert not (out / "state").exists()


@pytest.mark.slow
def test_a_process_that_dies_ends_the_job_and_the_run_goes_on_with_as_many(uneven_photos, of_two, tmp_path):
    script = tmp_path / "dies.py"
    script.write_text(DIES_IN_EPOCH_4)
    done = run_in_two([str(script), str(uneven_photos), str(tmp_path / "run"), *OVERRIDES])
    assert done.returncode != 0
    assert "the machine burns" in done.stderr
    with pytest.raises(
        RunFolderError, match=r"started with 2 process\(es\), and 1 would not .* with torchrun and 2 processes"
    ):
        resume(tmp_path / "run", verbose=False)
    done = run_in_two(["-m", "discern", "train", "--resume", "--out", str(tmp_path / "run")])
    assert done.returncode == 0, done.stderr
    assert "resumed after epoch 3" in done.stdout
    assert_same_table(of_two[0] / "history.csv", tmp_path / "run" / "history.csv", 0)
    assert_same_table(
        of_two[0] / "evaluation" / "predictions.csv", tmp_path / "run" / "evaluation" / "predictions.csv", 0
    )


def test_two_processes_predict_in_order_and_list_what_cannot_be_read(of_one, uneven_photos, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for place, path in enumerate(sorted(uneven_photos.rglob("*.png"))):
        (pictures / f"{place}.png").write_bytes(path.read_bytes())
    for bad in ("1.png", "7.png"):
        (pictures / bad).write_bytes(b"no picture")
    out = tmp_path / "answers.csv"
    done = run_in_two(["-m", "discern", "predict", str(of_one), str(pictures), "--out", str(out)])
    assert "7.png: not a picture" in done.stderr
    alone = tmp_path / "alone.csv"
    assert [Path(problem.path).name for problem in predict(of_one, pictures, out=alone).problems] == ["1.png", "7.png"]
    assert_same_table(alone, out, 1e-6)
    assert (tmp_path / "answers.bad_files.csv").read_text() == (tmp_path / "alone.bad_files.csv").read_text()


def test_the_default_recipe_keeps_a_budget_in_two_processes(uneven_photos, tmp_path):
    """A pretrained network, so that there is a floor; all processes must come to the same plan."""
    state = build_backbone("resnet18-half").network.state_dict()
    weights = tmp_path / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, weights)
    overrides = [text for text in OVERRIDES if not text.startswith(("training.phases", "model.weights", "optimizer"))]
    command = ["train", str(uneven_photos), "--out", str(tmp_path / "run"), "--budget", "60s", *overrides]
    command += ["data.audit=full"]
    done = run_in_two(["-m", "discern", *command, f"model.weights={weights}", "epochs=3"])
    assert done.returncode == 0, done.stderr
    assert "of 60 s" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert list(history["phase"]) == ["probe", *["fine-tune"] * 3]
    assert "kept: " in done.stdout
