"""From pictures without labels to a classifier: the heap, the folder of a labelling, training and merging."""

import json
import shutil
import socket
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from discern.errors import ConfigError, DataError, RunFolderError, WeightsError
from discern.labelling.goal import Goal
from discern.labelling.journal import read_journal
from discern.models.backbone import build_backbone
from discern.workflows.label import label, name_labelling, opening_labelling
from discern.workflows.merge_labels import merge_labels
from discern.workflows.train import train
from pictures import COLOURS, QUICK, draw_photo


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Settings of a small network whose weights are random, but in a file: colours are told apart by it, too."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    torch.manual_seed(0)
    state = build_backbone("resnet18-half").network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return ["model.backbone=resnet18-half", f"model.weights={path}", "data.image_size=32", "run.threads=1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of 90 pictures whose names say nothing, with two copies of the first and a file that is none."""
    folder = tmp_path_factory.mktemp("place") / "heap"
    (folder / "more").mkdir(parents=True)
    for number in range(90):
        name = list(COLOURS)[number % 3]
        draw_photo(COLOURS[name], number).save(folder / f"{number:03}.png")
    shutil.copy(folder / "000.png", folder / "copy.png")
    shutil.copy(folder / "000.png", folder / "more" / "copy.png")
    (folder / "bad.png").write_bytes(b"bad")
    return folder.parent


def find_colour(path):
    return list(COLOURS)[0 if path.stem == "copy" else int(path.stem) % 3]


def label_all(place, out, network, count, **more):
    with opening_labelling(place / "heap", out, overrides=network, goal="20% wrong, 50% answered", **more) as session:
        for _ in range(count):
            question = session.ask()
            session.answer(question.key, find_colour(question.path))
        session.wait()
        return session.describe()


@pytest.fixture(scope="module")
def labelled(place, network):
    """A labelling of 60 answers, of which one was undone, one corrected and some are no label."""
    out = place / "labels" / "heap"
    label_all(place, out, network, 50)
    with opening_labelling(place / "heap", out, overrides=network) as session:
        key = session.ask().key
        session.answer(key, "red")
        session.answer(key, "blue")
        session.answer_without_label(session.ask().key, "none")
        session.answer_without_label(session.ask().key, "skip")
        session.answer(session.ask().key, "green")
        session.undo()
        session.answer("000.png", "blue")
        progress = session.describe()
    return out, key, progress


def test_duplicates_are_asked_once_and_bad_files_are_listed(place, labelled, network):
    out, _, progress = labelled
    assert progress.pictures == 90
    assert list(pd.read_csv(out / "bad_files.csv")["path"].map(lambda path: Path(path).name)) == ["bad.png"]
    with opening_labelling(place / "heap", out, overrides=network) as session:
        assert sum(len(files) == 3 for files in session._heap.files) == 1


def test_what_is_labelled_is_trained_on(labelled, tmp_path, place):
    out, corrected, progress = labelled
    train(out / "labels.csv", out=tmp_path / "run", recipe="table", overrides=QUICK, verbose=False)
    split = pd.read_csv(tmp_path / "run" / "split.csv")
    paths = split["path"].map(lambda path: (out / path).resolve())
    labels = dict(zip(paths, split["label"], strict=True))
    assert labels.pop((place / "heap" / corrected).resolve()) == "blue"
    assert all(label == find_colour(path) for path, label in labels.items())
    is_copy = paths.map(lambda path: path.stem in ("copy", "000"))
    assert is_copy.sum() == 3
    assert split[is_copy]["split"].nunique() == 1
    assert len(split) == sum(progress.counts.values()) + 2
    assert abs((split["split"] == "test").sum() - progress.kept_apart) <= 3


def test_a_labelling_goes_on_and_another_seed_is_refused(place, labelled, network):
    out, _, progress = labelled
    with opening_labelling(place / "heap", out, overrides=network) as session:
        assert session.describe().counts == progress.counts
    with (
        pytest.raises(RunFolderError, match="a labelling with another seed or share"),
        opening_labelling(place / "heap", out, overrides=network, seed=1),
    ):
        pass


def test_what_ended_without_an_answer_is_not_in_the_way_of_another_share(place, network):
    out = place / "labels" / "none"
    with opening_labelling(place / "heap", out, overrides=network, goal="20% wrong, 50% answered"):
        assert {"definition.json", "goal.txt", "bad_files.csv"} <= {path.name for path in out.iterdir()}
    with opening_labelling(place / "heap", out, overrides=network, share="1/2") as session:
        assert session.describe().goal == Goal()


def test_two_people_merge_and_what_they_disagree_about_is_asked_again(place, network, capsys):
    folders = [place / "labels" / name for name in ("anna", "ben")]
    label_all(place, folders[0], network, 40, share="1/2")
    label_all(place, folders[1], network, 40, share="2/2")
    first, second = (read_journal(folder / "labels.csv") for folder in folders)
    again = next(row for row in second if row.how == "drawn" and row.path in {one.path for one in first})
    other = next(name for name in COLOURS if name != again.label)
    with (folders[1] / "labels.csv").open("a") as file:
        file.write(f"{again.path},{other},2999-01-01T00:00:00+00:00,drawn\n")
    merged = merge_labels([folders[0], folders[1] / "labels.csv"], out=place / "labels" / "both")
    assert [Path(file).name for file in merged.disagreed] == [Path(again.path).name]
    assert merged.agreements[0].pictures == merged.agreements[0].agreed + 1 > 5
    text = capsys.readouterr().out
    assert "Cohen's kappa 0." in text
    assert "people disagree about 1 picture, which discern label asks again" in text
    with opening_labelling(place / "heap", place / "labels" / "both", overrides=network) as session:
        num_copies = sum("copy" in row.how for row in merged.rows)
        assert sum(session.describe().counts.values()) == len(merged.rows) - 1 - num_copies
        asked = set()
        while (question := session.ask()) is not None:
            asked.add(question.path.name)
            session.answer(question.key, find_colour(question.path))
    assert Path(again.path).name in asked
    with pytest.raises(RunFolderError, match="exists; give another"):
        merge_labels(folders, out=place / "labels" / "both")


def test_merging_takes_folders_of_one_seed(place, labelled, tmp_path):
    out = labelled[0]
    with pytest.raises(ConfigError, match="1 labelling to merge; expected two or more folders"):
        merge_labels([out], out=tmp_path / "both")
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.csv").write_text("path,label\n")
    for place in (other, other / "mine.csv", tmp_path / "nowhere"):
        with pytest.raises(
            RunFolderError, match=r"is no folder of discern label: it has no definition\.json\. Give fol"
        ):
            merge_labels([out, place], out=tmp_path / "both")
    definition = json.loads((out / "definition.json").read_text())
    (other / "definition.json").write_text(json.dumps(definition | {"seed": 7}))
    with pytest.raises(ConfigError, match="have the seeds 0, 7"):
        merge_labels([out, other], out=tmp_path / "both")


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"goal": "soon"}, ConfigError, "the goal is 'soon'; expected such as"),
        ({"share": "3/2"}, ConfigError, "the share is '3/2'; expected such as 1/2"),
        ({"overrides": ["model.weights=none"]}, WeightsError, "features of random weights say nothing"),
        (
            {"overrides": []},
            WeightsError,
            "weights fetch resnet50, or name the file of another network",
        ),
    ],
)
def test_what_cannot_be_done_is_said(place, network, tmp_path, more, error, message):
    with (
        pytest.raises(error, match=message),
        opening_labelling(place / "heap", tmp_path / "out", **({"overrides": network} | more)),
    ):
        pass
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_of_labels_is_refused_and_stays_as_it_is(place, network, tmp_path):
    path = tmp_path / "out" / "labels.csv"
    label_all(place, path.parent, network, 3)
    damaged = path.read_text() + "one,more\n"
    path.write_text(damaged)
    with (
        pytest.raises(DataError, match=r"labels\.csv: other columns in row 4; expected path, label, time, how"),
        opening_labelling(place / "heap", path.parent, overrides=network),
    ):
        pass
    assert path.read_text() == damaged


def test_few_pictures_are_refused(place, network, tmp_path):
    with (
        pytest.raises(DataError, match="1 different picture can be used; expected 20 or more"),
        opening_labelling([place / "heap" / "000.png"], tmp_path / "out", overrides=network),
    ):
        pass


def test_a_file_that_is_no_picture_is_refused_with_its_reason(network, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><html></html>")
    with (
        pytest.raises(DataError, match=r"0 different pictures can be used; (.|\n)*page\.html: .*HTML"),
        opening_labelling([page], tmp_path / "out", overrides=network),
    ):
        pass


def test_pictures_without_a_file_of_their_own_are_refused(place, network, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "heap"), "zip", place / "heap")
    for source, message in ((archive, "unpack it"), ([draw_photo(COLOURS["red"], 1)] * 30, "give files")):
        with pytest.raises(DataError, match=message), opening_labelling(source, tmp_path / "out", overrides=network):
            pass


def test_the_folder_is_named_after_the_pictures():
    assert name_labelling("some/photos/") == Path("labels/photos")
    assert name_labelling(["some/photos/", "others"]) == Path("labels/photos")


def test_a_port_that_is_used_is_said_before_anything_is_read(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be served on"):
            label(tmp_path / "nothing is here", port=port)
