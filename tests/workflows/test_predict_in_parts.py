"""Answers that are written part by part: the same file, whether or not something came in between."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.errors import BadImagesError, ConfigError
from discern.predictor import answer_parts, progress
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Predictor
from discern.workflows.predict import predict

NUM_PICTURES, PART_ROWS = 10, 4


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def many(tmp_path):
    """A folder of ten small pictures."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number, colour in enumerate(np.random.default_rng(7).integers(0, 256, (NUM_PICTURES, 3))):
        Image.new("RGB", (12, 12), tuple(map(int, colour))).save(folder / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    def build_small(*arguments, **options):
        predictor = build_predictor(*arguments, **options)
        predictor.batch_size = PART_ROWS // 2
        return predictor

    monkeypatch.setattr("discern.workflows.predict.build_predictor", build_small)
    monkeypatch.setattr(answer_parts, "_MOST_BATCHES", 2)


@pytest.fixture
def asked(monkeypatch):
    """The numbers of pictures that the network was asked for, a call each."""
    counts = []
    whole = Predictor.predict_parts

    def count(self, table, *arguments, **options):
        counts.append(len(table))
        return whole(self, table, *arguments, **options)

    monkeypatch.setattr(Predictor, "predict_parts", count)
    return counts


def die(monkeypatch, name, call, *, after):
    """Let the process end before or after this call of a function that writes."""
    write, calls = getattr(answer_parts, name), itertools.count(1)

    def write_and_die(*arguments, **options):
        is_last = next(calls) == call
        if is_last and not after:
            raise Killed
        write(*arguments, **options)
        if is_last:
            raise Killed

    monkeypatch.setattr(answer_parts, name, write_and_die)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_is_the_same_to_the_byte_wherever_a_kill_came(trained_run, many, tmp_path, asked, form):
    (many / "6.png").write_bytes(b"no picture")
    predict(trained_run, many, out=tmp_path / f"whole.{form}", probabilities=True)
    assert asked == [NUM_PICTURES]
    whole = (tmp_path / f"whole.{form}").read_bytes()
    points = [("write_json", 1, True, 10), ("write_rows", 1, True, 10), ("write_rows", 2, False, 6)]
    points += [("write_json", 3, True, 2), ("write_json", 4, True, 0), ("join_rows", 1, True, 0)]
    for number, (name, call, after, expected_left) in enumerate(points if form == "csv" else points[2:4]):
        out = tmp_path / f"{number}.{form}"
        with pytest.MonkeyPatch.context() as patch:
            die(patch, name, call, after=after)
            with pytest.raises(Killed):
                predict(trained_run, many, out=out, probabilities=True)
        asked.clear()
        answers = predict(trained_run, many, out=out, probabilities=True)
        assert sum(asked) == expected_left
        assert out.read_bytes() == whole
        assert answers.count == NUM_PICTURES - 1 == len(answers.frame)
        assert [problem.path for problem in answers.problems] == [str(many / "6.png")]
    assert not list(tmp_path.glob(".*"))


def test_the_file_says_what_is_said_without_one(trained_run, many, tmp_path):
    for number in range(4, 8):  # a whole part
        (many / f"{number}.png").write_bytes(b"")
    kept = predict(trained_run, many, probabilities=True, top_k=2)
    for form in ("csv", "tsv", "parquet"):
        answers = predict(trained_run, many, out=tmp_path / f"answers.{form}", probabilities=True, top_k=2)
        # Parts are batches of their own, which some processors compute with other roundings.
        pd.testing.assert_frame_equal(answers.frame, kept.frame, check_dtype=False, rtol=1e-5)
        assert answers.problems == kept.problems
        assert len(pd.read_csv(tmp_path / "answers.bad_files.csv")) == 4


def test_another_question_starts_anew_and_says_so(trained_run, many, tmp_path, asked, monkeypatch, caplog):
    out = tmp_path / "answers.csv"
    with pytest.MonkeyPatch.context() as patch:
        die(patch, "join_rows", 1, after=False)
        with pytest.raises(Killed):
            predict(trained_run, many, out=out)
    asked.clear()
    predict(trained_run, many, out=out, top_k=2)
    assert asked == [NUM_PICTURES]
    assert f"interrupted prediction has left answers for {out}, which were made with another top_k;" in caplog.text
    assert "label_2" in out.read_text().splitlines()[0]


def test_pictures_that_changed_meanwhile_are_answered_anew(trained_run, many, tmp_path, asked, caplog):
    out = tmp_path / "answers.csv"
    with pytest.MonkeyPatch.context() as patch:
        die(patch, "join_rows", 1, after=False)
        with pytest.raises(Killed):
            predict(trained_run, many, out=out)
    Image.new("RGB", (40, 40), "red").save(many / "5.png")
    asked.clear()
    predict(trained_run, many, out=out)
    assert asked == [PART_ROWS]
    assert f"an interrupted prediction goes on: {NUM_PICTURES - PART_ROWS} of 10 pictures are done" in caplog.text
    predict(trained_run, many, out=tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_damaged_part_is_answered_anew(trained_run, many, tmp_path):
    out = tmp_path / "answers.csv"
    with pytest.MonkeyPatch.context() as patch:
        die(patch, "join_rows", 1, after=False)
        with pytest.raises(Killed):
            predict(trained_run, many, out=out)
    folder = tmp_path / ".answers.csv.parts"
    (folder / "part-000000.json").write_text("{")
    (folder / "part-000001.csv").unlink()
    record = json.loads((folder / "part-000002.json").read_text())
    (folder / "part-000002.json").write_text(json.dumps(record | {"summary": {}}))
    predict(trained_run, many, out=out)
    predict(trained_run, many, out=tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_was_answered_is_kept_where_bad_pictures_end_the_prediction(trained_run, many, tmp_path, asked):
    (many / "3.png").write_bytes(b"")
    out = tmp_path / "answers.csv"
    with pytest.raises(BadImagesError, match="1 picture cannot be used"):
        predict(trained_run, many, out=out, on_bad="error")
    assert not out.exists()
    asked.clear()
    assert predict(trained_run, many, out=out, on_bad="skip").count == NUM_PICTURES - 1
    assert sum(asked) == 0


def test_own_ids_are_a_column_of_all_parts_where_one_has_them(trained_run, many, tmp_path):
    (many / "new.csv").write_text("id,file_name\n007,1.png\n")
    for form in ("csv", "parquet"):
        out = tmp_path / f"answers.{form}"
        frame = predict(trained_run, [*map(str, sorted(many.glob("*.png"))[:7]), many / "new.csv"], out=out).frame
        assert frame["own_id"].dropna().tolist() == ["007"]


def test_parquet_is_no_form_for_spreadsheets_or_submissions(trained_run, tmp_path):
    for options in ({"csv_safe": True}, {"like": "sample.csv"}):
        with pytest.raises(ConfigError, match=r"are written as CSV; out=\.\.\. needs a name that ends in \.csv"):
            predict("no run", "no picture", out=tmp_path / "answers.parquet", **options)


def test_another_output_than_a_terminal_gets_lines_with_the_time_left(monkeypatch, caplog):
    seconds = iter([0.0, 31.0, 31.0, 40.0, 62.0, 62.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(seconds))
    advance = progress._build_log_lines(1000)
    caplog.set_level("INFO", logger="discern")
    for _ in range(3):
        advance(100)
    assert [record.message for record in caplog.records] == [
        "100 of 1000 pictures; 4.5 to 5 min left", "300 of 1000 pictures; 2 to 2.5 min left",
    ]  # fmt: skip


def test_pictures_are_sorted_by_their_answers(trained_run, many, tmp_path, asked, monkeypatch):
    (many / "3.png").write_bytes(b"")
    out, folder = tmp_path / "answers.csv", tmp_path / "sorted"
    with monkeypatch.context() as patch:
        die(patch, "write_rows", 2, after=False)
        with pytest.raises(Killed):
            predict(trained_run, many, out=out)
    frame = predict(trained_run, many, out=out, sort_into=folder).frame
    placed = {path.name: path.parent.name for path in folder.rglob("*.png")}
    assert placed == dict(zip(frame["id"], frame["label"], strict=True))
    assert "3.png" not in placed
    contents = {path.name: path.read_bytes() for path in folder.rglob("*.png")}
    assert all((many / name).read_bytes() == content for name, content in contents.items())
    again = predict(trained_run, many, sort_into=folder, link="hard")  # in memory
    assert again.count == len(placed) == len(list(folder.rglob("*.png")))


def test_a_folder_that_would_be_classified_itself_is_refused_before_any_work(trained_run, many, tmp_path):
    with pytest.raises(ConfigError, match=r"lies in .*many, so that the next call would classify its copies"):
        predict(trained_run, many, sort_into=many / "sorted")
    with pytest.raises(ConfigError, match=r"pictures to classify lie in .*, such as those of .*many; give a folder el"):
        predict(trained_run, many, sort_into=tmp_path)
    with pytest.raises(ConfigError, match="pictures in memory are no files that can be copied; leave out sort_into"):
        predict(trained_run, np.zeros((8, 8, 3), dtype=np.uint8), sort_into=tmp_path / "sorted")
    for options, message in (
        ({"link": "soft", "sort_into": tmp_path / "sorted"}, "link is 'soft'; expected hard or symbolic"),
        ({"link": "hard"}, "links are made in a folder of sorted pictures; give one with sort_into"),
        ({"like": "s.csv", "sort_into": tmp_path / "sorted"}, "not sorted by a sample submission"),
        ({"sort_into": many / "1.png"}, "1.png is a file; sort_into=... needs a folder"),
    ):
        with pytest.raises(ConfigError, match=message):
            predict(trained_run, many, **options)
    assert not (tmp_path / "sorted").exists()
