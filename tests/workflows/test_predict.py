import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.errors import BadImagesError, BundleError, ConfigError, DataError
from discern.evaluation.coverage import find_smallest_error
from discern.predictor.bundle import load_bundle
from discern.predictor.load import load
from discern.workflows.evaluate import evaluate
from discern.workflows.predict import predict
from discern.workflows.train import train
from pictures import COLOURS, QUICK, draw_photos


@pytest.fixture
def flat_folder(tmp_path):
    """Unlabelled pictures 1.png ... 10.png, whose order as text is not their order."""
    draw_photos(tmp_path / "drawn", per_class=4, first_seed=77)
    folder = tmp_path / "flat"
    folder.mkdir()
    for number, path in enumerate(sorted((tmp_path / "drawn").rglob("*.png"))[:10], 1):
        (folder / f"{number}.png").write_bytes(path.read_bytes())
    return folder


def test_answers_have_the_promised_columns_in_natural_order(trained_run, flat_folder, tmp_path):
    predict(trained_run, [str(flat_folder)], out=tmp_path / "answers.csv")
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert list(answers.columns) == ["id", "path", "label", "confidence", "familiarity", "unfamiliar"]
    assert list(answers["id"]) == [f"{number}.png" for number in range(1, 11)]
    assert set(answers["label"]) <= set(COLOURS)
    assert answers["confidence"].between(1 / 3, 1).all()


def test_a_file_that_is_given_in_several_ways_is_answered_once(trained_run, flat_folder, caplog):
    given = [flat_folder / "10.png", flat_folder, flat_folder / ".." / "flat" / "2.png", str(flat_folder / "*.png")]
    frame = predict(trained_run, given).frame
    assert list(frame["id"]) == ["10.png", *(f"{number}.png" for number in range(1, 10))]
    assert "given more than once, and used once: 12 files" in caplog.text


def test_probabilities_and_places_can_be_added(trained_run, flat_folder):
    frame = predict(trained_run, [str(flat_folder)], probabilities=True, top_k=2).frame
    assert list(frame.columns) == [
        "id", "path", "label", "confidence", "label_2", "confidence_2", "familiarity", "unfamiliar",
        "probability_blue", "probability_green", "probability_red",
    ]  # fmt: skip
    assert (frame["confidence"] >= frame["confidence_2"]).all()
    assert (frame["label"] != frame["label_2"]).all()


def test_views_are_those_of_the_bundle_or_those_asked_for(trained_run, flat_folder, photos, tmp_path, caplog):
    columns = [f"probability_{name}" for name in COLOURS]
    answers = {
        tta: predict(trained_run, flat_folder, probabilities=True, tta=tta).frame[columns] for tta in (None, "flip")
    }
    table = load(trained_run, device="cpu").with_tta("flip").predict(flat_folder, probabilities=True)
    pd.testing.assert_frame_equal(answers["flip"], table[columns])
    assert not answers["flip"].equals(answers[None])
    assert "answers with tta=flip: the calibration of confidences, and what is promised" in caplog.text
    losses = {
        tta: evaluate(trained_run, photos, out=tmp_path / tta, tta=tta, plots=False).loss for tta in ("none", "five")
    }
    assert losses["none"] != losses["five"]


def test_bad_files_are_listed_and_the_rest_is_answered(trained_run, flat_folder, tmp_path):
    (flat_folder / "2.png").write_bytes((flat_folder / "2.png").read_bytes()[:200])
    answers = predict(trained_run, [str(flat_folder)], out=tmp_path / "answers.csv")
    assert len(answers.frame) == 9
    assert "2.png" not in set(answers.frame["id"])
    (problem,) = answers.problems
    assert problem.path.endswith("2.png")
    assert len(pd.read_csv(tmp_path / "answers.bad_files.csv")) == 1


def test_no_readable_picture_at_all_is_an_error(trained_run, tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(BadImagesError, match="1 picture cannot be used"):
        predict(trained_run, [str(tmp_path / "a.png")])


@pytest.mark.parametrize("with_extension", [True, False])
def test_a_sample_submission_is_followed_exactly(trained_run, flat_folder, tmp_path, with_extension):
    suffix = ".png" if with_extension else ""
    order = [3, 10, 1, 7]
    sample = pd.DataFrame({"image_id": [f"{number}{suffix}" for number in order], "breed": ["red"] * 4})
    sample.to_csv(tmp_path / "sample.csv", index=False)
    predict(trained_run, [str(flat_folder)], out=tmp_path / "submission.csv", like=tmp_path / "sample.csv")
    submission = pd.read_csv(tmp_path / "submission.csv", dtype=str)
    plain = predict(trained_run, [str(flat_folder)]).frame.set_index("id")["label"]
    assert list(submission.columns) == ["image_id", "breed"]
    assert list(submission["image_id"]) == list(sample["image_id"])
    assert list(submission["breed"]) == [plain[f"{number}.png"] for number in order]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_submission_is_separated_as_its_sample(trained_run, flat_folder, tmp_path, separator):
    rows = [("id", *COLOURS), ("2", "0.5", "0.25", "0.25"), ("1", "0", "0", "1")]
    sample, out = tmp_path / "sample.csv", tmp_path / "submission.csv"
    sample.write_text("".join(f"{separator.join(row)}\n" for row in rows))
    for _ in range(2):  # the second replaces an earlier submission, which it knows as one
        frame = predict(trained_run, flat_folder, out=out, like=sample).frame
    written = [[*frame.columns], *([row.id, *(f"{cell:.6g}" for cell in row[2:])] for row in frame.itertuples())]
    assert out.read_text() == "".join(f"{separator.join(row)}\n" for row in written)
    predict(trained_run, flat_folder, out=tmp_path / "submission.tsv", like=sample)
    assert (tmp_path / "submission.tsv").read_text() == out.read_text().replace(separator, "\t")


def test_one_bad_picture_does_not_stop_a_submission_where_a_fallback_is_asked_for(trained_run, flat_folder, tmp_path):
    (flat_folder / "2.png").write_bytes(b"")
    (tmp_path / "sample.csv").write_text("id,label\n2,green\n1,red\n")
    ask = {"like": tmp_path / "sample.csv", "out": tmp_path / "out.csv"}
    with pytest.raises(
        BadImagesError, match=r"1 picture cannot be used:\n.*2.png.*\n.*on_bad=\"fallback\" or on_bad=\"skip\""
    ):
        predict(trained_run, flat_folder, **ask)
    assert not ask["out"].exists()
    answers = predict(trained_run, flat_folder, on_bad="fallback", **ask)
    assert answers.frame["label"].tolist()[0] == "green"
    assert len(answers.problems) == 1
    assert predict(trained_run, flat_folder, on_bad="skip", **ask).frame["id"].tolist() == ["1"]
    with pytest.raises(ConfigError, match="on_bad is 'ignore'; expected error, skip or fallback"):
        predict(trained_run, flat_folder, on_bad="ignore")
    with pytest.raises(ConfigError, match="fills rows of a sample submission"):
        predict(trained_run, flat_folder, on_bad="fallback")
    with pytest.raises(BadImagesError, match='on_bad="skip"'):
        predict(trained_run, flat_folder, on_bad="error")


def test_what_a_sample_asks_for_is_said_before_any_picture_is_read(trained_run, tmp_path):
    (tmp_path / "sample.csv").write_text("id,age\n1,37.5\n")
    with pytest.raises(DataError, match="measured numbers"):
        predict(trained_run, "nowhere.png", like=tmp_path / "sample.csv")


def test_evaluate_joins_classes_by_name_where_one_is_missing(trained_run, tmp_path):
    """A test set without the first class must not shift the others."""
    photos = draw_photos(tmp_path / "photos", per_class=5, first_seed=50)
    whole = evaluate(trained_run, photos, out=tmp_path / "whole")
    for path in (photos / "blue").iterdir():
        path.unlink()
    (photos / "blue").rmdir()
    part = evaluate(trained_run, photos, out=tmp_path / "part")
    confusion = pd.read_csv(tmp_path / "whole" / "confusion.csv", index_col=0)
    right = int(confusion.loc["green", "green"] + confusion.loc["red", "red"])
    assert part.accuracy.value == pytest.approx(right / 10)
    assert part.classes_absent == ("blue",)
    assert whole.count == 15


def test_evaluate_refuses_classes_that_the_classifier_does_not_know(trained_run, tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=2)
    (photos / "red").rename(photos / "rouge")
    with pytest.raises(DataError, match="rouge"):
        evaluate(trained_run, photos, out=tmp_path / "out")


def test_a_folder_without_a_classifier_is_refused(tmp_path):
    with pytest.raises(BundleError, match="holds no trained classifier"):
        predict(tmp_path, ["a.png"])


def test_evaluate_takes_the_test_split_and_never_the_training_pictures_unasked(trained_run, tmp_path):
    photos = tmp_path / "photos"
    for place, (split, per_class) in enumerate((("train", 4), ("val", 3), ("test", 2))):
        draw_photos(photos / split, per_class=per_class, first_seed=100 * place)
    assert evaluate(trained_run, photos, out=tmp_path / "default").count == 6
    assert evaluate(trained_run, photos, out=tmp_path / "val", split="val").count == 9
    assert evaluate(trained_run, photos, out=tmp_path / "train", split="train").count == 12
    with pytest.raises(DataError, match="no pictures in a split 'tset'; its splits are train, validation, test"):
        evaluate(trained_run, photos, out=tmp_path / "typo", split="tset")
    for split in ("val", "test"):
        shutil.rmtree(photos / split)
    with pytest.raises(DataError, match='has training pictures only; to evaluate those, add split="train"'):
        evaluate(trained_run, photos, out=tmp_path / "unasked")


def test_evaluate_does_not_replace_the_runs_own_evaluation(trained_run, photos):
    with pytest.raises(ConfigError, match="has the run's own evaluation"):
        evaluate(trained_run, photos, out=trained_run / "evaluation")


def test_evaluate_and_predict_compute_with_the_precision_of_the_run(photos, tmp_path):
    for precision in ("fp32", "bf16"):
        run = train(photos, out=tmp_path / precision, recipe="table", overrides=[*QUICK, f"precision={precision}"])
        assert run.load().runtime.precision == precision
        rows = pd.read_csv(run.folder.split)
        rows[["path", "label", "split"]].to_csv(tmp_path / "again.csv", index=False)
        again = evaluate(
            run.folder.root, tmp_path / "again.csv", out=tmp_path / f"{precision}-again", image_root=photos
        )
        assert again.loss.value == run.metrics["test"].loss.value


def test_answers_never_replace_what_they_are_made_from(trained_run, flat_folder, tmp_path):
    sample = tmp_path / "sample.csv"
    sample.write_text("id,label\n1,red\n")
    picture = flat_folder / "1.png"
    before = picture.read_bytes()
    for out, like in ((picture, None), (flat_folder / "2.png", None), (sample, sample)):
        with pytest.raises(ConfigError, match=r"would be replaced by the answers|are not written as .png"):
            predict(trained_run, [str(flat_folder), str(picture)], out=out, like=like)
    with pytest.raises(ConfigError, match="is a folder"):
        predict(trained_run, [str(flat_folder)], out=tmp_path)
    assert picture.read_bytes() == before
    predict(trained_run, [str(flat_folder)], out=tmp_path / "new" / "folder" / "answers.csv")
    assert (tmp_path / "new" / "folder" / "answers.csv").is_file()


def test_a_file_has_the_form_of_its_name_or_is_refused_before_any_work(trained_run, flat_folder, tmp_path):
    out = tmp_path / "answers.tsv"
    frame = predict(trained_run, flat_folder, out=out).frame
    assert pd.read_csv(out, sep="\t")["label"].tolist() == frame["label"].tolist()
    predict(trained_run, flat_folder, out=out)  # its own earlier answers
    for name in ("answers.xlsx", "answers.csv.gz", "answers.json"):
        with pytest.raises(
            ConfigError, match=r"answers are not written as \.\w+; out=... needs a name that ends in .csv"
        ):
            predict("no run", "no picture", out=tmp_path / name)
    with pytest.raises(ConfigError, match="not written to standard output"):
        predict("no run", "no picture", out="-")


def test_a_file_that_holds_no_answers_is_replaced_only_where_that_is_asked_for(trained_run, flat_folder, tmp_path):
    picture, out = flat_folder / "1.png", tmp_path / "out.csv"
    sample = tmp_path / "sample.csv"
    sample.write_text("id,label\n1,red\n")
    for like in (None, sample):
        out.write_text("id,label\n1,my own\n2,notes\n")
        with pytest.raises(ConfigError, match=r"out.csv exists and was not written as such answers.*overwrite=True"):
            predict(trained_run, picture, out=out, like=like)
        assert "notes" in out.read_text()
        predict(trained_run, picture, out=out, like=like, overwrite=True)
        predict(trained_run, picture, out=out, like=like)  # its own earlier answers
    (tmp_path / "out.bad_files.csv").write_text("mine\n")
    with pytest.raises(ConfigError, match=r"out.bad_files.csv exists"):
        predict(trained_run, picture, out=out, like=sample)
    assert (tmp_path / "out.bad_files.csv").read_text() == "mine\n"


def test_names_that_a_spreadsheet_takes_for_formulas_are_disarmed_where_that_is_asked_for(
    trained_run, flat_folder, tmp_path
):
    names = ["=1+1.png", "+a.png", "-a.png", "@a.png", "\ta.png", "plain.png"]
    for name in names:
        (flat_folder / name).write_bytes((flat_folder / "1.png").read_bytes())
    listed, out = [flat_folder / name for name in names], tmp_path / "out.csv"
    assert predict(trained_run, listed, out=out).frame["id"].tolist() == names
    assert pd.read_csv(out)["id"].tolist() == names
    predict(trained_run, listed, out=out, csv_safe=True)
    assert pd.read_csv(out)["id"].tolist() == [*(f"'{name}" for name in names[:-1]), "plain.png"]


def test_the_ids_of_the_users_table_are_written(trained_run, flat_folder, tmp_path):
    (flat_folder / "new.csv").write_text("id,file_name\n268243,2.png\n007,1.png\n")
    frame = predict(trained_run, flat_folder / "new.csv").frame
    assert frame["own_id"].tolist() == ["268243", "007"]
    (tmp_path / "sample.csv").write_text("id,label\n007,x\n268243,x\n")
    submission = predict(trained_run, flat_folder / "new.csv", like=tmp_path / "sample.csv").frame
    assert submission["label"].tolist() == frame["label"].tolist()[::-1]


def test_a_loaded_classifier_evaluates_what_can_be_read(trained_run, tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=2, first_seed=50)
    predictor = load(trained_run)
    whole = predictor.evaluate(photos)
    (photos / "red" / "bad.png").write_bytes(b"nothing")
    with pytest.raises(BadImagesError, match=r'1 picture cannot be used.*\n.*bad.png.*\n.*by on_bad="skip"'):
        predictor.evaluate(photos)
    assert predictor.evaluate(photos, on_bad="skip") == whole
    with pytest.raises(ConfigError, match="on_bad is 'fallback'; expected error or skip"):
        predictor.evaluate(photos, on_bad="fallback")


def test_an_evaluation_ends_with_all_bad_pictures_also_where_only_decoding_finds_them(trained_run, tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=2, first_seed=50)
    for path in (photos / "red" / "0.png", photos / "blue" / "1.png"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (photos / "red" / "bad.png").write_bytes(b"nothing")
    for count in (3, 2):
        with pytest.raises(BadImagesError, match=rf"{count} pictures cannot be used(.|\n)*on_bad=\"skip\""):
            evaluate(trained_run, photos, out=tmp_path / "out", verbose=False)
        assert len(pd.read_csv(tmp_path / "out" / "bad_files.csv")) == count
        (photos / "red" / "bad.png").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def sure_run(tmp_path_factory):
    """A run with enough validation pictures for a guarantee, and with a feature bank."""
    photos = draw_photos(tmp_path_factory.mktemp("many"), per_class=40, first_seed=5000)
    out = tmp_path_factory.mktemp("runs") / "sure"
    overrides = [*QUICK, "training.phases.*.epochs=6", "learning_rate=2e-3", "data.split=[0.5, 0.5, 0.0]"]
    train(photos, out=out, recipe="table", overrides=overrides)
    return out


def test_it_says_unknown_where_it_would_err_or_has_seen_nothing_alike(sure_run, tmp_path):
    pictures = draw_photos(tmp_path / "new", per_class=4, first_seed=9000)
    strange = tmp_path / "strange.png"
    stripes = np.zeros((40, 40, 3), dtype=np.uint8)
    stripes[::4] = 255
    Image.fromarray(stripes).save(strange)
    evidence = load_bundle(sure_run).evidence
    wanted = find_smallest_error(evidence.confidences, evidence.is_right, choices=evidence.num_choices) + 0.02
    frame = predict(sure_run, [str(pictures), str(strange)], max_error=wanted, out=tmp_path / "out.csv").frame
    usual = ["id", "path", "label", "confidence", "familiarity", "unfamiliar"]
    assert list(frame.columns) == [*usual, "guess", "reason"]
    point = evidence.choose_operating_point(wanted)
    unsure = frame["confidence"] < point.threshold
    assert set(frame["reason"][unsure]) <= {"not sure enough", "unlike the training pictures"}
    assert (frame["label"] == np.where(frame["reason"] == "", frame["guess"], "unknown")).all()
    assert frame.set_index("id").loc["strange.png", "reason"] == "unlike the training pictures"
    assert (frame["reason"] == "").mean() > 0.4
    assert frame["familiarity"].between(0, 1).all()
    plain = predict(sure_run, [str(pictures), str(strange)]).frame
    # How familiar a picture is does not depend on what is asked, and the mark is there without asking.
    assert list(plain.columns) == usual
    assert plain["familiarity"].tolist() == frame["familiarity"].tolist()
    assert plain.set_index("id").loc["strange.png", "unfamiliar"]
    assert plain["unfamiliar"].tolist() == (plain["familiarity"] <= 1 / 61).tolist()
    assert list(plain["label"]) == list(frame["guess"])
    read_back = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert list(read_back["reason"]) == list(frame["reason"])


def test_sets_hold_the_first_guess_and_grow_with_what_is_asked(sure_run, tmp_path):
    pictures = draw_photos(tmp_path / "new", per_class=4, first_seed=9000)
    few, many = (predict(sure_run, [str(pictures)], set_coverage=share).frame for share in (0.6, 0.97))
    for small, large, label in zip(few["labels"], many["labels"], few["label"], strict=True):
        assert small.split("|")[0] == large.split("|")[0] == label
        assert set(small.split("|")) <= set(large.split("|"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"max_error": 0.001},
            "60 validation pictures cannot support at most 0.10 % wrong answers with 95 % confidence; the lowest",
        ),
        (
            {"max_error": 5},
            "the largest share of wrong answers is 5; expected more than 0 and less than 1; 5 % is 0.05",
        ),
        ({"max_error": 100}, "expected more than 0 and less than 1$"),
        (
            {"set_coverage": 0.999},
            "60 validation pictures are too few for sets .* 99.90 % of all cases; ask for at most 98.36 %",
        ),
        ({"set_coverage": 0}, "the coverage of sets is 0; expected more than 0 and less than 1"),
    ],
)
def test_what_the_validation_set_cannot_support_is_refused_before_any_work(sure_run, tmp_path, asked, message):
    with pytest.raises(ConfigError, match=message):
        predict(sure_run, ["nowhere.png"], **asked)


def test_a_run_without_validation_guarantees_nothing(photos, tmp_path):
    overrides = [*QUICK, "data.split=[0.7, 0.0, 0.3]", "training.feature_bank=0"]
    train(photos, out=tmp_path / "run", recipe="table", overrides=overrides)
    with pytest.raises(BundleError, match="no share of wrong answers can be guaranteed; train again, with a valid"):
        predict(tmp_path / "run", [str(photos)], max_error=0.1)
    assert load_bundle(tmp_path / "run").feature_bank is None
    frame = predict(tmp_path / "run", [str(photos)]).frame
    assert list(frame.columns) == ["id", "path", "label", "confidence"]


def test_labels_that_the_classifier_does_not_know_do_not_matter(trained_run, flat_folder, tmp_path):
    names = [f"{number}.png" for number in range(1, 11)]
    labelled = tmp_path / "labelled.csv"
    pd.DataFrame({"path": [f"flat/{name}" for name in names], "label": names}).to_csv(labelled, index=False)
    frame = predict(trained_run, [str(labelled)]).frame
    assert list(frame["label"]) == list(predict(trained_run, [str(flat_folder)]).frame["label"])


def test_paths_may_be_text(trained_run, flat_folder, tmp_path):
    (tmp_path / "sample.csv").write_text("id,label\n1,red\n")
    like, out = str(tmp_path / "sample.csv"), str(tmp_path / "answers.csv")
    predict(str(trained_run), str(flat_folder), out=out, like=like, verbose=False)
    assert list(pd.read_csv(out).columns) == ["id", "label"]


def test_what_is_done_is_printed_unless_unwanted(trained_run, flat_folder, tmp_path, capsys):
    predict(trained_run, flat_folder, out=tmp_path / "answers.csv")
    assert f"10 answers in {tmp_path / 'answers.csv'}" in capsys.readouterr().out
    predict(trained_run, next(flat_folder.iterdir()), out=tmp_path / "answers.csv")
    assert f"1 answer in {tmp_path / 'answers.csv'}" in capsys.readouterr().out
    predict(trained_run, flat_folder, out=tmp_path / "answers.csv", verbose=False)
    assert capsys.readouterr().out == ""
