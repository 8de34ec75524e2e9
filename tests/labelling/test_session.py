"""A labelling from the first question to the promise, without a page."""

import csv
import threading

import numpy as np
import pytest

from discern.errors import DataError, WriteError
from discern.labelling.goal import Goal
from discern.labelling.journal import Journal
from discern.labelling.session import LabellingSession
from labelled_heap import NAMES, answer_truly, true_label


def read_rows(session):
    with session.journal_path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_labelling_asks_until_the_goal_holds(begin):
    session = begin()
    asked = answer_truly(session, 200)
    progress = session.describe()
    assert progress.goal_reached
    assert progress.promise.error_high <= 0.1
    assert set(progress.counts) == set(NAMES)
    assert progress.answered == sum(progress.counts.values()) == len(asked)
    assert progress.curve[-1].accuracy.value > 0.9
    assert progress.forecast is None
    assert len({question.key for question in asked}) == len(asked)


def test_every_answer_is_on_the_disk_before_the_next_question(begin):
    session = begin()
    for number in range(1, 6):
        answer_truly(session, 1)
        assert len([row for row in read_rows(session) if "copy" not in row["how"]]) == number


def test_about_a_third_is_kept_apart_and_nothing_is_suggested_about_it(begin):
    asked = answer_truly(begin(), 160)
    apart = [question for question in asked if question.why == "apart"]
    assert 0.2 < len(apart) / len(asked) < 0.4
    assert all(question.suggestion is None and question.is_hidden for question in apart)


def test_suggestions_are_hidden_for_a_random_share(begin):
    asked = [question for question in answer_truly(begin(), 160) if question.why == "uncertain"]
    hidden = [question for question in asked if question.is_hidden]
    assert 0.05 < len(hidden) / len(asked) < 0.4
    assert all(question.suggestion is None and question.between is None for question in hidden)
    assert all(question.suggestion in question.between for question in asked if not question.is_hidden)


def test_what_is_kept_apart_does_not_depend_on_answers(begin, tmp_path):
    true = {question.key for question in answer_truly(begin(), 60) if question.why == "apart"}
    (tmp_path / "labels.csv").unlink()
    session, lied = begin(), set()
    for place in range(60):
        question = session.ask()
        lied |= {question.key} if question.why == "apart" else set()
        session.answer(question.key, NAMES[place % 3])
    assert lied == true


def test_a_labelling_goes_on_where_it_was_left(begin):
    session = begin()
    answer_truly(session, 100)
    session.undo()
    session.wait()
    before, question = session.describe(), session.ask()
    again = begin()
    after = again.describe()
    assert (after.counts, after.history, after.answered) == (before.counts, before.history, before.answered)
    assert after.kept_apart == before.kept_apart
    assert question.key not in {past.key for past in after.history}


def test_it_counts_down_to_the_next_look(begin):
    session = begin()
    first = session.describe().next_look
    answer_truly(session, 40)
    progress = session.describe()
    assert 0 < progress.next_look == first - progress.kept_apart
    answer_truly(session, 260)
    assert session.describe().next_look is None


def test_undo_asks_the_picture_again(begin):
    session = begin()
    asked = answer_truly(session, 3)
    assert session.undo().key == session.ask().key == asked[-1].key
    assert session.undo().key == asked[-2].key
    assert session.describe().answered == 1
    assert session.undo().key == asked[0].key
    assert session.undo() is None
    assert [row["how"] for row in read_rows(session) if "copy" not in row["how"]][-1] == "undone"


def test_an_answer_is_corrected_and_the_last_one_holds(begin):
    session = begin()
    key = answer_truly(session, 2)[0].key
    session.answer(key, "moth")
    assert session.class_names[-1] == "moth"
    assert session.describe().counts["moth"] == 1
    assert session.describe().answered == 2
    assert begin().describe().history[0].label == "moth"


def test_all_files_that_show_the_same_get_the_label_and_lose_it(begin, heap):
    session = begin()
    session.answer(heap.keys[0], "ant")
    labels = {row["path"].rpartition("/")[2]: row["label"] for row in read_rows(session)}
    assert labels == {"000-ant.jpg": "ant", "copy one.jpg": "ant", "copy,two.jpg": "ant"}
    session.undo()
    assert {row["label"] for row in read_rows(session)[3:]} == {""}
    assert session.describe().answered == 0


def test_pictures_without_a_label_are_counted_and_skipped_ones_come_again(begin, heap):
    session = begin(class_names=NAMES)
    reasons = {}
    for reason in ("skip", "unsure", "none", "skip"):
        key = session.ask().key
        session.answer_without_label(key, reason)
        reasons[key] = reason
    assert session.describe().reasons == {"skip": 2, "unsure": 1, "none": 1}
    for key in heap.keys:
        if key not in reasons:
            session.answer(key, true_label(key))
    session.wait()
    again = session.ask()
    assert (again.why, reasons[again.key]) == ("again", "skip")
    session.answer(again.key, "ant")
    session.answer(session.ask().key, "ant")
    assert session.ask() is None


def test_look_alikes_are_confirmed_and_taken_back_together(begin):
    session = begin()
    answer_truly(session, 120)
    before = session.describe().answered
    grid = session.ask_alike()
    assert {true_label(question.key) for question in grid.questions} == {grid.label}
    assert 2 <= len(grid.questions) <= 12
    counts = session.describe().counts
    assert counts[grid.label] == min(counts.values())
    session.confirm([question.key for question in grid.questions[1:]], grid.label)
    assert session.describe().answered == before + len(grid.questions) - 1
    assert session.undo().key == grid.questions[1].key
    assert session.describe().answered == before
    assert begin().describe().answered == before


def test_what_is_taken_out_of_look_alikes_is_asked_alone_and_in_no_other_grid(begin):
    session = begin()
    answer_truly(session, 120)
    grid = session.ask_alike()
    first, *others = [question.key for question in grid.questions]
    session.confirm(others, grid.label)
    asked = answer_truly(session, 8)  # the first of them are kept apart, to keep pace
    (alone,) = [question for question in asked if question.key == first]
    assert (alone.why, alone.suggestion) == ("taken_out", None)
    grid = session.ask_alike()
    session.confirm([], grid.label)
    again = session.ask_alike()
    assert again is None or not {one.key for one in again.questions} & {one.key for one in grid.questions}


def test_a_class_is_spelled_as_it_began(begin):
    session = begin(class_names=("Ant",))
    session.answer(session.ask().key, "  ant ")
    assert session.class_names == ("Ant",)


@pytest.mark.parametrize("name", ["", "  ", "nan", "x" * 101])
def test_what_cannot_be_a_class_is_refused(begin, name):
    session = begin()
    with pytest.raises(DataError, match="cannot be a class"):
        session.answer(session.ask().key, name)
    assert session.describe().answered == 0


def test_an_unknown_picture_is_refused(begin):
    session = begin()
    for call in (
        lambda: session.answer("x", "ant"),
        lambda: session.find_path("../x"),
        lambda: session.confirm(["x"], "a"),
    ):
        with pytest.raises(DataError, match="there is no picture"):
            call()


def test_pictures_kept_apart_are_not_confirmed_in_a_grid(begin):
    session = begin()
    apart = next(question for question in answer_truly(session, 60) if question.why == "apart")
    with pytest.raises(DataError, match="one by one"):
        session.confirm([apart.key], "ant")


def test_what_cannot_be_written_is_not_answered(begin, monkeypatch):
    session = begin()
    answer_truly(session, 1)
    question = session.ask()
    monkeypatch.setattr("discern.labelling.journal.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(WriteError):
        session.answer(question.key, "ant")
    assert session.ask() == question
    assert session.describe().answered == 1


def test_answers_may_come_from_several_threads(begin, heap):
    session = begin()
    parts = np.array_split(np.array(heap.keys), 4)

    def answer_all(keys):
        for key in keys.tolist():
            session.answer(key, true_label(key))
            session.describe()

    threads = [threading.Thread(target=answer_all, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.wait()
    assert session.describe().answered == len(heap)
    assert begin().describe().counts == session.describe().counts


def test_two_people_label_different_pictures_but_for_some_kept_apart(begin, tmp_path, heap):
    from discern.labelling.parts import draw_parts, parse_share

    first, second = (draw_parts(heap.keys, seed=0, share=parse_share(share)) for share in ("1/2", "2/2"))
    whole = draw_parts(heap.keys, seed=0, share=parse_share("1/1"))
    assert not set(first.learnt) & set(second.learnt)
    assert set(first.learnt) | set(second.learnt) == set(whole.learnt)
    assert set(first.kept) & set(second.kept) == set(whole.kept[:50])
    assert set(first.kept) | set(second.kept) == set(whole.kept)


def test_answers_about_other_pictures_are_refused(begin, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label,time,how\n../other.jpg,ant,2026,asked\n")
    with pytest.raises(DataError, match="none of its 1 files is among these pictures"):
        begin()


def test_a_goal_that_so_few_pictures_cannot_show_is_said_at_once(heap, tmp_path, caplog):
    session = LabellingSession(heap, Journal(tmp_path / "labels.csv"), Goal(0.01, 0.9))
    assert not session.describe().is_in_reach
    assert "1% wrong, 90% answered cannot be shown with so few pictures" in caplog.text
    assert "it takes at least 356" in caplog.text
    assert "the best that can be shown is 4% wrong, 90% answered" in caplog.text
    session.close()
