import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

import discern
from discern.config.load import read_settings
from discern.data.reading.decode import decode_image
from discern.errors import BadImagesError, DiscernError, RunFolderError
from discern.predictor.bundle import load_bundle
from discern.recipes import list_recipe_names
from discern.run_folder import RunFolder
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import COLOURS, QUICK, draw_photo, draw_photos


def test_a_run_folder_holds_what_the_other_commands_rely_on(trained_run):
    folder = RunFolder(trained_run)
    for path in (folder.config, folder.plan, folder.environment, folder.split, folder.history, folder.log):
        assert path.is_file()
    for name in ("metrics.json", "predictions.csv", "confusion.csv", "per_class.csv"):
        assert (folder.evaluation / name).is_file()
    for name in ("curves", "confusion", "confusion_normalized", "mistakes", "learning_rate"):
        with Image.open(folder.plots / f"{name}.png") as plot:
            assert min(plot.size) > 200
    assert not folder.state.exists()


def test_it_learns_and_its_numbers_agree_with_scikit_learn(trained_run):
    metrics = json.loads((trained_run / "evaluation" / "metrics.json").read_text())
    predictions = pd.read_csv(trained_run / "evaluation" / "predictions.csv")
    assert {split: values["count"] for split, values in metrics.items()} == {"validation": 6, "test": 6}
    for split in ("validation", "test"):
        rows = predictions[predictions["split"] == split]
        accuracy = metrics[split]["accuracy"]
        assert accuracy["value"] == pytest.approx(accuracy_score(rows["true"], rows["predicted"]))
        assert accuracy["low"] < accuracy["value"] <= accuracy["high"]
        assert metrics[split]["macro_f1"]["value"] == pytest.approx(
            f1_score(rows["true"], rows["predicted"], average="macro")
        )
    assert metrics["validation"]["accuracy"]["value"] > 0.6
    chances = predictions[[f"probability_{name}" for name in sorted(COLOURS)]]
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-4)
    assert (
        chances.to_numpy().argmax(axis=1) == [sorted(COLOURS).index(name) for name in predictions["predicted"]]
    ).all()


def test_the_log_ends_with_where_the_time_went(trained_run):
    lines = [line.split(maxsplit=3)[3] for line in (trained_run / "log.txt").read_text().splitlines()]
    table = lines[next(place for place, line in enumerate(lines) if line.startswith("where the time went, of ")) + 1 :]
    parts = [line.rsplit(maxsplit=4)[0] for line in table]
    assert parts[0] == "loading the program"
    assert parts[-1] == "elsewhere"
    assert {"checking pictures", "planning", "training", "validation", "test", "scores", "plots"} < set(parts)
    assert len(parts) == len(set(parts))


def test_the_split_can_be_given_back(photos, trained_run, tmp_path):
    overrides = [*QUICK, f"data.split_file={trained_run / 'split.csv'}", "run.seed=5"]
    train(photos, out=tmp_path / "again", recipe="table", overrides=overrides)
    assert (tmp_path / "again" / "split.csv").read_bytes() == (trained_run / "split.csv").read_bytes()


def test_the_bundle_answers_as_training_evaluated(photos, trained_run):
    predictions = pd.read_csv(trained_run / "evaluation" / "predictions.csv")
    answers = discern.load(trained_run).predict([photos / name for name in predictions["id"]], probabilities=True)
    assert list(answers["label"]) == list(predictions["predicted"])
    for name in COLOURS:
        column = f"probability_{name}"
        assert np.allclose(answers[column], predictions[column], atol=2e-2)


def test_paths_pil_images_and_arrays_get_the_same_answer(photos, trained_run):
    path = photos / "red" / "3.png"
    image = decode_image(path)
    classifier = discern.load(trained_run)
    confidences = [
        classifier.predict(form)["confidence"].item() for form in (str(path), path, image, np.asarray(image))
    ]
    assert len(set(confidences)) == 1


@pytest.mark.parametrize("recipe", [name for name in list_recipe_names() if name != "as-is"])
def test_every_recipe_trains(recipe, photos, tmp_path):
    run = train(photos, out=tmp_path / "run", recipe=recipe, overrides=QUICK)
    assert set(run.metrics) == {"validation", "test"}
    assert len(run.history) == len(run.plan.phases)


def test_recipe_settings_are_resolved_and_recorded(photos, tmp_path):
    overrides = [setting for setting in QUICK if not setting.startswith("data.image_size")]
    run = train(photos, out=tmp_path / "run", overrides=overrides)
    assert run.plan.architecture.stem == "small"
    assert run.plan.preprocess.image_size == 40
    # What was asked for stays as it was asked.
    assert read_settings(run.folder.config).data.image_size == "auto"
    environment = json.loads(run.folder.environment.read_text())
    assert "40, the size of the pictures" in run.plan.reasons["data.image_size"]
    assert environment["runtime"]["reasons"]["device"]
    assert environment["packages"]["torch"]


def test_arrays_and_npz_and_csv_all_train(tmp_path):
    images = np.stack([np.asarray(draw_photo(COLOURS[name], seed)) for seed in range(8) for name in COLOURS])
    labels = [10, 2, 1] * 8
    run = train((images, labels), out=tmp_path / "arrays", recipe="v1", overrides=QUICK)
    assert load_bundle(run.folder.root).class_names == ("1", "2", "10")
    np.savez(tmp_path / "data.npz", images=images, labels=np.array(labels))
    again = train(tmp_path / "data.npz", out=tmp_path / "npz", recipe="v1", overrides=QUICK)
    assert load_bundle(again.folder.root).class_names == ("1", "2", "10")
    photos = draw_photos(tmp_path / "photos", per_class=6)
    rows = [(f"{name}/{number}", name) for name in COLOURS for number in range(6)]
    pd.DataFrame(rows, columns=["id", "breed"]).to_csv(tmp_path / "train.csv", index=False)
    overrides = [*QUICK, f"data.image_root={photos}", "data.image_suffix=.png"]
    table = train(tmp_path / "train.csv", out=tmp_path / "csv", recipe="table", overrides=overrides)
    assert load_bundle(table.folder.root).class_names == tuple(sorted(COLOURS))


def test_bad_files_stop_all_at_once_or_are_left_out_and_listed(tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=6)
    (photos / "red" / "broken.png").write_bytes(b"no picture")
    (photos / "blue" / "empty.jpg").write_bytes(b"")
    with pytest.raises(BadImagesError, match="2 pictures cannot be used") as caught:
        train(photos, out=tmp_path / "run", recipe="table", overrides=QUICK)
    assert "broken.png" in str(caught.value)
    assert "empty.jpg" in str(caught.value)
    assert 'leave them out with on_bad="skip".' in str(caught.value)
    assert "leave them out with data.on_bad=skip." in caught.value.for_command_line()
    assert "leave them out with --on-bad skip." in caught.value.for_command_line(takes_settings=False)
    assert len(pd.read_csv(tmp_path / "run" / "bad_files.csv")) == 2
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, "data.on_bad=skip"])
    assert len(pd.read_csv(run.folder.split)) == 18
    assert "left out 2 of 20 pictures" in run.folder.log.read_text()


def test_a_truncated_file_is_found_beforehand_unless_nobody_looks_and_named_in_training_otherwise(tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=6)
    whole = (photos / "red" / "0.png").read_bytes()
    (photos / "red" / "0.png").write_bytes(whole[: len(whole) // 2])
    blind = [*QUICK, "data.audit=off", "data.group_duplicates=false"]
    with pytest.raises(DiscernError, match=r"red/0\.png(.|\n)*data\.verify=full finds all such files"):
        train(photos, out=tmp_path / "run", recipe="table", overrides=blind)
    for overrides in (QUICK, [*blind, "data.verify=full"], [*QUICK, "data.audit=off"]):
        with pytest.raises(BadImagesError, match=r"1 picture cannot be used"):
            train(photos, out=tmp_path / "full", recipe="table", overrides=overrides)


def test_a_run_is_never_overwritten_unasked_and_overwriting_spares_what_is_not_the_runs(photos, tmp_path):
    out = tmp_path / "run"
    train(photos, out=out, recipe="table", overrides=QUICK)
    (out / "notes.txt").write_text("mine")
    before = (out / "bundle" / "model.safetensors").read_bytes()
    with pytest.raises(RunFolderError, match=r"already holds a run(.|\n)*overwrite=True"):
        train(photos, out=out, recipe="table", overrides=QUICK)
    assert (out / "bundle" / "model.safetensors").read_bytes() == before
    train(photos, out=out, recipe="table", overrides=[*QUICK, "run.seed=3"], overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "bundle" / "model.safetensors").read_bytes() != before


def test_resuming_a_complete_run_or_none_is_reported(trained_run, tmp_path):
    with pytest.raises(RunFolderError, match="is complete; there is nothing to resume"):
        resume(trained_run)
    with pytest.raises(RunFolderError, match="holds no run to resume"):
        resume(tmp_path)


def test_the_order_of_files_does_not_matter(photos, trained_run, tmp_path):
    """A CSV of the same pictures in another order gives the same split and the same classes."""
    rows = [(f"{name}/{number}.png", name) for name in COLOURS for number in range(12)]
    for seed in (1, 2):
        shuffled = pd.DataFrame(rows, columns=["path", "label"]).sample(frac=1, random_state=seed)
        shuffled.to_csv(tmp_path / f"{seed}.csv", index=False)
        overrides = [*QUICK, f"data.image_root={photos}"]
        train(tmp_path / f"{seed}.csv", out=tmp_path / f"run{seed}", recipe="table", overrides=overrides)
    splits = [pd.read_csv(tmp_path / f"run{seed}" / "split.csv").set_index("id")["split"] for seed in (1, 2)]
    assert splits[0].sort_index().equals(splits[1].sort_index())
    folder_split = pd.read_csv(trained_run / "split.csv").set_index("id")["split"]
    assert splits[0].sort_index().equals(folder_split.sort_index())


def test_overwriting_removes_nothing_before_the_new_run_has_proved_usable(photos, tmp_path):
    out = tmp_path / "run"
    train(photos, out=out, recipe="table", overrides=[*QUICK, "stem=small"])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for source, overrides in (
        (tmp_path / "nowhere", QUICK),
        (photos, [*QUICK, "training.phases.*.train=hed"]),
        (photos, [*QUICK, "augment=bogus"]),
        (photos, [*QUICK, "model.weights=no/such/file.pth"]),
    ):
        with pytest.raises(DiscernError):
            train(source, out=out, recipe="table", overrides=overrides, overwrite=True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    # A run may be repeated over itself with its own split and weights, which say the stem.
    overrides = [*QUICK, f"data.split_file={out / 'split.csv'}"]
    overrides.append(f"model.weights={out / 'bundle' / 'model.safetensors'}")
    again = train(photos, out=out, recipe="table", overrides=overrides, overwrite=True)
    assert again.plan.architecture.stem == "small"
    assert (out / "split.csv").read_bytes() == before[out / "split.csv"]


def test_a_failed_start_leaves_no_run_behind(photos, tmp_path):
    with pytest.raises(DiscernError):
        train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, "training.phases.*.train=hed"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["config.toml", "history.csv", "plots", "log.txt"])
def test_files_that_are_not_a_runs_are_never_replaced(photos, tmp_path, name):
    own = tmp_path / "project"
    own.mkdir()
    (own / name).write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(RunFolderError, match=f"holds no run of discern, but files .*: {name}"):
            train(photos, out=own, recipe="table", overrides=QUICK, overwrite=overwrite)
    assert (own / name).read_text() == "mine"


def test_a_run_is_not_written_into_the_pictures(photos):
    for out in (photos, photos / "runs" / "one"):
        with pytest.raises(RunFolderError, match="is inside the folder of pictures"):
            train(photos, out=out, recipe="table", overrides=QUICK)
    assert sorted(path.name for path in photos.iterdir()) == sorted(COLOURS)


def test_a_diverged_epoch_is_neither_kept_nor_taken_for_one_without_validation(photos, tmp_path):
    overrides = [*QUICK, "training.batch_size=64", "optimizer=sgd", "learning_rate=1e38", "training.phases.*.epochs=2"]
    with pytest.raises(DiscernError, match="a lower learning rate"):
        train(photos, out=tmp_path / "run", recipe="table", overrides=overrides)
    assert not (tmp_path / "run" / "bundle").exists()


def test_a_list_of_bad_files_does_not_outlive_them(tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=6)
    bad = photos / "red" / "broken.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(BadImagesError):
        train(photos, out=tmp_path / "run", recipe="table", overrides=QUICK)
    bad.unlink()
    train(photos, out=tmp_path / "run", recipe="table", overrides=QUICK)
    assert not (tmp_path / "run" / "bad_files.csv").exists()


def test_without_validation_and_test_the_run_is_complete_all_the_same(photos, tmp_path):
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, "data.split=[1,0,0]"])
    assert run.metrics == {}
    assert len(run.load().predict(photos)) == 36
