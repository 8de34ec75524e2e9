"""The page of a labelling in a real browser: people who label by keys, by touch and with mishaps."""

import json
from importlib.resources import files

import pytest

from discern.errors import DiscernError
from discern.evaluation.intervals import exact_interval
from discern.labelling.progress import CurvePoint
from discern.labelling.promise import Promise
from discern.serving.guard import Access
from discern.serving.label_app import create_label_app
from served import serving

WORDS = json.loads((files("discern.serving") / "static" / "label_words.json").read_text())
FULL_DISK = DiscernError("labels.csv cannot be written: no space left on the disk")
PROMISE = Promise(60, 0.8, exact_interval(41, 60), exact_interval(1, 41), 0.11, is_kept=False)


@pytest.fixture
def open_page(browser, session):
    """Open the page of the session with these options; what goes wrong in it fails the test."""
    contexts, problems = [], []
    with serving(create_label_app(session, Access({"127.0.0.1"}), lambda: None)) as address:

        def open_one(**options):
            contexts.append(browser.new_context(**{"locale": "en", **options}))
            page = contexts[-1].new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(address)
            wait_until_shown(page)
            return page

        yield open_one
        for context in contexts:
            context.close()
    assert problems == []


def wait_for(page, selector, text):
    page.wait_for_function("([at, text]) => document.querySelector(at).textContent === text", arg=[selector, text])


def press(page, key, answered):
    page.keyboard.press(key)
    wait_for(page, "#count", f"{answered} of 18 answered")
    wait_until_shown(page)


def wait_until_shown(page):
    page.wait_for_selector("#main[aria-busy=false]")


def test_a_person_labels_by_keys_alone(session, open_page):
    session.details["0003"] = {"why": "uncertain", "between": ("red", "blue"), "suggestion": "red"}
    page = open_page()
    press(page, "1", 1)
    press(page, "2", 2)
    page.keyboard.press("c")
    page.keyboard.type("blue")
    press(page, "Enter", 3)
    assert page.locator("#classes button").all_inner_texts() == ["1 red", "2 green", "3 blue"]
    assert page.inner_text("#why").lower() == "uncertain between red and blue"
    press(page, "Enter", 4)
    page.keyboard.press("Enter")  # nothing is suggested now, so that this is no answer
    press(page, "0", 5)
    press(page, "n", 6)
    press(page, "s", 7)
    press(page, "u", 6)
    wait_for(page, "#reasons", "1 several or none · 1 not sure")
    labels = [label or reason for _, label, reason in session.answers]
    assert labels == ["red", "green", "blue", "red", "none", "unsure"]


def test_a_hidden_answer_is_nowhere_in_the_page(session, open_page):
    session.details["0000"] = {"why": "uncertain", "is_hidden": True}
    page = open_page()
    assert page.locator("#suggestion").is_hidden()
    assert page.inner_text("#note").startswith("The classifier's answer is hidden here")
    assert page.get_attribute("#picture", "alt") == "The picture to label"


def test_look_alikes_are_confirmed_together_without_those_taken_out(session, open_page):
    page = open_page()
    page.keyboard.press("g")
    wait_for(page, "#note", WORDS["alike_none"]["en"])
    session.grid = ("red", [f"{place:04x}" for place in range(12)])
    page.keyboard.press("g")
    page.wait_for_selector("#alike:not([hidden])")
    page.keyboard.press("2")
    page.keyboard.press("b")
    page.locator("#alike-pictures button").nth(3).click()
    page.locator("#alike-pictures button").nth(3).click()
    wait_for(page, "#confirmed", "10 pictures are red")
    pressed = page.locator("#alike-pictures button[aria-pressed=false]").evaluate_all(
        "all => all.map(one => one.ariaLabel)"
    )
    assert pressed == ["Picture 2", "Picture 11"]
    press(page, "Enter", 10)
    assert page.locator("#alike").is_hidden()
    assert page.locator("#question").is_visible()
    assert "0001" not in [key for key, _, _ in session.answers]


def test_a_grid_may_be_wrong_altogether(session, open_page):
    page, session.grid = open_page(), ("red", ["0000", "0001"])
    page.keyboard.press("g")
    page.wait_for_selector("#alike:not([hidden])")
    page.keyboard.press("1")
    wait_for(page, "#confirmed", "1 picture is red")
    page.keyboard.press("2")
    wait_for(page, "#confirmed", "None of them is red")
    wait_until_shown(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("#alike", state="hidden")
    assert session.answers == []


def test_an_earlier_answer_is_corrected_from_the_row_of_the_last_ones(session, open_page):
    page = open_page()
    press(page, "1", 1)
    press(page, "1", 2)
    page.locator("#history button").nth(1).click()
    wait_for(page, "#why", "Answered as “red”")
    wait_until_shown(page)
    page.keyboard.press("2")
    wait_for(page, "#history button", "green")
    assert session.answers == [("0001", "red", None), ("0000", "green", None)]
    assert page.inner_text("#kind") == "What is it?"


def test_the_promise_the_curve_and_the_goal_are_shown(session, open_page):
    curve = [CurvePoint(count, exact_interval(count // 3, 40)) for count in (20, 50, 110)]
    session.say(kept_apart=60, promise=PROMISE, forecast=(120, 260), curve=curve)
    page = open_page()
    assert page.inner_text("#promise") == (
        "With at most 2\u202f% of the answers wrong, 68\u202f% of new pictures like these could be answered now "
        "(55\u202f% to 80\u202f%). Where 80\u202f% are answered, 2\u202f% of the answers are wrong (<0.1\u202f% to "
        "13\u202f%). Shown so far, with 95 % confidence: at most 11\u202f% wrong. This comes from 60 pictures that "
        "were drawn at random and are kept apart from learning. The goal is tested next after 31 more of them."
    )
    assert page.inner_text("#forecast") == "The goal takes about 120 to 260 more answers."
    assert page.locator("#curve circle").count() == 3
    assert "after 110 labels" in page.get_attribute("#curve svg", "aria-label")
    page.select_option("#language", "de")
    assert page.inner_text("#forecast") == "Bis zum Ziel fehlen etwa 120 bis 260 Antworten."
    assert page.locator("#reached").is_hidden()
    session.say(goal_reached=True)
    page.locator("#kind").focus()
    press_german(page, "1")
    assert page.locator("#reached").is_visible()
    assert page.locator("#reached code").inner_text() == f"discern train {session.journal_path}"


def test_a_goal_out_of_reach_is_said_at_once(session, open_page):
    session.say(is_in_reach=False)
    assert open_page().inner_text("#forecast") == WORDS["forecast_never"]["en"]


def test_it_is_said_when_the_goal_is_tested_next_and_that_it_was_tested_for_the_last_time(session, open_page):
    session.say(kept_apart=7, next_look=1)
    page = open_page()
    assert page.inner_text("#promise").endswith(
        "7 of them are answered. The goal is tested next after one more of them."
    )
    session.say(kept_apart=60, promise=PROMISE, next_look=None)
    page.reload()
    wait_for(page, "#forecast", WORDS["forecast_over"]["en"])
    assert "tested next" not in page.inner_text("#promise")


def press_german(page, key):
    page.keyboard.press(key)
    wait_for(page, "#count", "1 von 18 beantwortet")


def test_what_fails_is_said_and_no_answer_is_lost(session, open_page):
    page = open_page()
    session.error = FULL_DISK
    page.keyboard.press("1")
    wait_for(page, "#problem", str(FULL_DISK))
    wait_until_shown(page)
    session.error = None
    press(page, "1", 1)
    assert page.locator("#problem").is_hidden()
    page.context.set_offline(True)
    page.keyboard.press("1")
    wait_for(page, "#problem", WORDS["gone"]["en"])
    wait_until_shown(page)
    page.context.set_offline(False)
    press(page, "1", 2)
    session.paths["0003"] = session.journal_path.with_name("gone.png")
    press(page, "1", 3)
    wait_for(page, "#lost", "the file of this picture cannot be read any more")
    press(page, "s", 4)
    page.reload()
    wait_for(page, "#count", "4 of 18 answered")


def test_a_picture_that_is_not_shown_yet_takes_no_answer(session, open_page):
    page = open_page()
    waiting = []
    page.route("**/picture?key=0001*", lambda route: waiting.append(route))
    page.keyboard.press("1")
    wait_for(page, "#count", "1 of 18 answered")
    page.keyboard.press("2")
    page.keyboard.press("2")
    waiting[0].continue_()
    wait_until_shown(page)
    press(page, "2", 2)
    assert [key for key, _, _ in session.answers] == ["0000", "0001"]


def test_it_can_be_zoomed_by_key_wheel_and_fingers(session, open_page):
    page = open_page()
    scale = "() => new DOMMatrix(getComputedStyle(document.querySelector('#picture')).transform).a"
    page.keyboard.press("z")
    assert page.evaluate(scale) == 2.5
    page.keyboard.press("z")
    page.hover("#frame")
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"({scale})() > 2")
    press(page, "1", 1)
    assert page.evaluate(scale) == 1
    page.evaluate(
        """() => {
          const frame = document.querySelector("#frame");
          frame.setPointerCapture = () => {};
          const touch = (type, pointerId, clientX) =>
            frame.dispatchEvent(new PointerEvent(type, { pointerId, clientX, clientY: 200, bubbles: true }));
          touch("pointerdown", 1, 200); touch("pointerdown", 2, 250); touch("pointermove", 2, 350);
        }"""
    )
    assert page.evaluate(scale) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_labels_by_touch_without_scrolling_sideways(session, open_page, scheme):
    session.class_names = (*session.class_names, "a class with a name that is far too long for a button of a phone")
    page = open_page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#classes button").first.tap()
    wait_for(page, "#count", "1 of 18 answered")
    heights = page.locator("button:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) >= 44


def test_everything_has_a_name_for_a_screen_reader(session, open_page):
    session.details["0001"] = {"suggestion": "red"}
    page = open_page()
    press(page, "1", 1)
    assert page.locator("#live").text_content().strip() == "Next picture. It is red"
    nameless = "all => all.filter(one => !(one.ariaLabel ?? one.textContent).trim() && !one.labels?.length).length"
    assert page.locator("button, select, input").evaluate_all(nameless) == 0
    assert page.locator("[role=status][aria-live=polite]").count() == 1


def test_enter_presses_the_button_that_keys_went_to_and_else_takes_the_suggestion(session, open_page):
    session.details = {key: {"suggestion": "red"} for key in session.paths}
    page = open_page()
    page.locator("[data-key=s]").focus()
    press(page, "Enter", 1)
    page.locator("#classes button").nth(1).click()
    wait_for(page, "#count", "2 of 18 answered")
    wait_until_shown(page)
    press(page, "Enter", 3)
    assert [label or reason for _, label, reason in session.answers] == ["skip", "green", "red"]


def test_finishing_ends_it_from_a_grid_too_and_says_what_comes_next(browser, session):
    ended, session.grid = [], ("red", ["0000", "0001"])
    with serving(create_label_app(session, Access({"127.0.0.1"}), lambda: ended.append(True))) as address:
        page = browser.new_page(locale="en")
        page.goto(address)
        wait_until_shown(page)
        page.keyboard.press("g")
        page.wait_for_selector("#alike:not([hidden])")
        wait_until_shown(page)
        page.keyboard.press("f")
        page.wait_for_selector("#main", state="hidden")
        assert page.locator("#problem").is_visible()
        assert page.inner_text("#problem code") == f"discern train {session.journal_path}"
        page.close()
    assert ended == [True]


def test_when_nothing_is_left_it_says_so_and_finish_is_at_hand(session, open_page):
    for key in list(session.paths)[2:]:
        del session.paths[key]
    page = open_page()
    press(page, "1", 1)
    press(page, "2", 2)
    assert page.inner_text("#kind") == "All pictures are answered"
    assert page.locator("#frame").is_hidden()
    assert page.evaluate("document.activeElement.id") == "finish"
    page.keyboard.press("1")
    press(page, "u", 1)
    assert page.locator("#picture").is_visible()
