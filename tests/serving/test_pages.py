"""The pages in a real browser: what people do with them, and that nothing is asked of anybody else."""

import csv
import dataclasses
import io
import re

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from discern.predictor.bundle import load_bundle, save_bundle
from discern.predictor.evidence import Evidence
from discern.serving.app import create_app
from discern.serving.candidates import load_candidates
from discern.serving.decisions import Decisions
from discern.serving.guard import Access
from discern.serving.review import Review
from discern.serving.review_app import create_review_app
from served import load_on_cpu, serving
from serving_files import draw, draw_noise, encode

CLASSES = ["blue", "green", "red"]


@pytest.fixture(scope="module")
def sure_run(run, tmp_path_factory):
    """The run with evidence of many pictures that chose nothing, which promises usual shares of wrong answers."""
    bundle = load_bundle(run)
    confidences = np.concatenate([np.linspace(0.6, 1, 400), np.linspace(0.3, 0.5, 40)])
    is_right = np.arange(440) < 400
    similarities = np.resize(bundle.evidence.similarities, 440)
    evidence = Evidence(
        confidences, is_right, np.where(is_right, confidences, 0.1), similarities, np.ones(440, np.int64)
    )
    folder = tmp_path_factory.mktemp("sure") / "colours"
    save_bundle(dataclasses.replace(bundle, evidence=evidence), folder / "bundle")
    return folder


@pytest.fixture(scope="module")
def place(sure_run):
    app = create_app({"colours": sure_run}, load_on_cpu, access=Access({"127.0.0.1"}))
    with serving(app) as address:
        yield address


@pytest.fixture
def page(browser, place):
    context = browser.new_context(accept_downloads=True)
    yield from open_page(context, place)
    context.close()


def open_page(context, address):
    opened = context.new_page()
    complaints, elsewhere = [], []
    opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: elsewhere.append(request.url))
    opened.goto(address)
    yield opened
    assert [one for one in complaints if "status of 4" not in one] == []
    base = address.partition("/#")[0]
    assert [url for url in elsewhere if not url.startswith((base, "blob:", "data:"))] == []


def give(page, *pictures):
    files = [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in pictures]
    page.set_input_files("#choose", files)
    page.wait_for_selector("#results .card")
    page.wait_for_function("() => !document.querySelector('.card.working')")


def labels(page):
    return page.locator("#results .label").all_inner_texts()


def test_pictures_are_answered_and_the_answers_are_read_out(page):
    page.wait_for_function("() => document.title === 'colours · discern'")
    assert page.inner_text("h1") == "Blue, green or red?"
    give(page, ("one.png", encode(draw("blue"))))
    assert labels(page) == ["blue"]
    page.wait_for_function("() => document.querySelector('#live').textContent.includes('sure')")
    assert page.inner_text("#live").startswith("blue, ")
    give(page, ("two.png", encode(draw("red"))), ("three.png", encode(draw("green"))))
    assert labels(page) == ["blue", "red", "green"]
    assert page.inner_text("#summary") == "3 pictures · 3 answered"


def test_a_bad_file_says_why_beside_the_good_ones(page):
    give(page, ("good.png", encode(draw("blue"))), ("notes.png", b"not a picture"))
    assert labels(page) == ["blue", "Not answered"]
    assert "not a picture of a supported type" in page.inner_text(".card.failed .why")
    page.click("#clear")
    give(page, ("alone.png", b""))
    assert "the file is empty" in page.inner_text(".card.failed .why")


def test_what_is_unknown_says_so_and_comes_back_when_all_is_allowed(page):
    give(page, ("noise.png", encode(draw_noise())))
    answered = labels(page)
    page.select_option("#max-error", "0.01")
    page.wait_for_selector("#results .card.unknown")
    assert labels(page) == ["unknown"]
    assert f"The best guess is {answered[0]}." in page.inner_text("#results .why")
    assert page.inner_text("#promise").startswith("An answer takes a confidence of")
    page.select_option("#max-error", "")
    page.wait_for_selector("#results .card:not(.unknown):not(.working)")
    assert labels(page) == answered


def test_the_page_shows_how_familiar_a_picture_is_and_marks_what_is_not(page):
    give(page, ("one.png", encode(draw("blue"))), ("noise.png", encode(draw_noise())))
    usual, unlike = page.locator(".familiarity").all_inner_texts()
    assert re.fullmatch(r"Familiarity [\d.]+", usual)
    assert re.fullmatch(r"Familiarity [\d.]+: unlike the training pictures", unlike)
    assert page.locator(".familiarity.low").count() == 1


def test_the_page_speaks_the_language_that_is_chosen_about_all_that_is_there(browser, place):
    context = browser.new_context(locale="de-DE")
    for page in open_page(context, place):
        page.wait_for_function("() => document.title === 'colours · discern'")
        assert page.inner_text("h1") == "Blue, green oder red?"
        give(page, ("one.png", encode(draw("blue"))), ("noise.png", encode(draw_noise())), ("notes.png", b"no"))
        page.select_option("#max-error", "0.01")
        page.wait_for_selector("#results .card.unknown")
        assert labels(page) == ["blue", "unbekannt", "Nicht beantwortet"]
        assert page.inner_text("#summary") == "3 Bilder · 1 beantwortet · 1 unbekannt · 1 nicht lesbar"
        assert page.inner_text("#promise").startswith("Eine Antwort braucht eine Sicherheit von")
        page.locator(".alike").first.click()
        page.wait_for_selector(".neighbours img")
        page.locator(".heat").first.click()
        page.wait_for_selector(".heat[aria-pressed=true]")
        assert page.locator(".note").first.inner_text().startswith("Hell: was für blue spricht.")
        page.select_option("#language", "en")
        assert labels(page) == ["blue", "unknown", "Not answered"]
        assert page.locator(".note").first.inner_text().startswith("Bright: evidence for blue.")
        assert ", similarity " in page.locator(".neighbours li").first.inner_text()
        assert page.input_value("#max-error") == "0.01"
        assert page.get_attribute("[role=tablist]", "aria-label") == "Views"
        page.click("#tab-card")
        assert "calibrated on 6 validation pictures, temperature 1." in page.inner_text("#card")
    context.close()


def test_heat_map_and_most_alike_come_on_demand(page):
    give(page, ("one.png", encode(draw("blue"))))
    page.click(".heat")
    page.wait_for_selector(".heat[aria-pressed=true]")
    assert page.get_attribute("#results .shown", "src").startswith("data:image/jpeg")
    page.click(".alike")
    page.wait_for_selector(".neighbours img")
    assert page.locator(".neighbours li").count() == 5
    page.click(".heat")
    assert page.get_attribute("#results .shown", "src").startswith("blob:")


def test_a_picture_can_be_pasted_and_dropped(page):
    for kind in ("paste", "drop"):
        page.evaluate(
            """async ([kind, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], `${kind}.png`, { type: 'image/png' }));
                const event = kind === 'paste'
                    ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
                    : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
                document.querySelector('#drop').dispatchEvent(event);
            }""",
            [kind, list(encode(draw("green")))],
        )
        page.wait_for_function(
            f"() => [...document.querySelectorAll('.name')].some(one => one.textContent === '{kind}.png')"
        )
    page.wait_for_function("() => !document.querySelector('.card.working')")
    assert labels(page) == ["green", "green"]


def test_the_csv_has_a_row_a_picture_and_no_formula(page):
    give(page, ("=1+1.png", encode(draw("blue"))), ('odd, "name".png', encode(draw("red"))), ("bad.png", b"x"))
    with page.expect_download() as download:
        page.click("#csv")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert [row["name"] for row in rows] == ["'=1+1.png", 'odd, "name".png', "bad.png"]
    assert [row["label"] for row in rows] == ["blue", "red", ""]
    assert float(rows[0]["confidence"]) > float(rows[0]["confidence_2"]) > float(rows[0]["confidence_3"])
    assert "supported type" in rows[2]["error"]


def test_everything_can_be_reached_by_keyboard(page):
    page.wait_for_function("() => document.title === 'colours · discern'")
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert reached[:6] == ["skip", "language", "tab-classify", "choose", "watch", "max-error"]
    page.focus("#tab-classify")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-mistakes", "aria-selected") == "true"
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#card dl")
    page.keyboard.press("ArrowRight")
    give(page, ("one.png", encode(draw("blue"))))
    page.focus(".heat")
    page.keyboard.press("Enter")
    page.wait_for_selector(".heat[aria-pressed=true]")
    assert page.evaluate("document.activeElement.className") == "heat"


def test_a_phone_has_no_need_to_scroll_sideways(browser, place):
    context = browser.new_context(viewport={"width": 360, "height": 740})
    for page in open_page(context, place):
        give(page, *((f"{'long-name-' * 9}{n}.png", encode(draw("blue", n))) for n in range(3)))
        for tab in ("#tab-classify", "#tab-mistakes", "#tab-card"):
            page.click(tab)
            assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_the_page_asks_for_a_token_where_one_is_needed(browser, sure_run):
    app = create_app({"colours": sure_run}, load_on_cpu, access=Access(None, "secret"))
    with serving(app) as address:
        context = browser.new_context()
        for page in open_page(context, address):
            page.fill("#token", "secret")
            page.keyboard.press("Enter")
            page.wait_for_function("() => document.title === 'colours · discern'")
            give(page, ("one.png", encode(draw("blue"))))
            assert labels(page) == ["blue"]
        context.close()


@pytest.fixture
def reviewed(photos, tmp_path):
    """A run folder with three mistakes."""
    (tmp_path / "evaluation").mkdir()
    names = ["blue/0.png", "green/1.png", "red/2.png"]
    rows = [
        f"{name},{photos / name},test,{CLASSES[place]},{CLASSES[place - 2]},0.{9 - place}"
        for place, name in enumerate(names)
    ]
    text = "\n".join(["id,path,split,true,predicted,confidence", *rows])
    (tmp_path / "evaluation" / "predictions.csv").write_text(text)
    return tmp_path


def build_review(folder, token="secret"):
    review = Review("run", load_candidates(folder, None), CLASSES, Decisions(folder / "overrides.csv"))
    return create_review_app(review, Access({"127.0.0.1"}, token))


def review(folder):
    return serving(build_review(folder))


def count(page, text):
    page.wait_for_function("wanted => document.querySelector('#count').textContent === wanted", arg=text)


def test_a_review_takes_one_key_a_decision_and_goes_on_later(browser, reviewed, photos):
    context = browser.new_context()
    with review(reviewed) as address:
        for page in open_page(context, f"{address}/#token=secret"):
            page.wait_for_selector("#picture:not([hidden])")
            assert "secret" not in page.url
            assert page.inner_text("#name") == "blue/0.png"
            page.keyboard.press("k")
            count(page, "1 of 3 decided")
            page.keyboard.press("d")
            count(page, "2 of 3 decided")
            page.keyboard.press("u")
            count(page, "1 of 3 decided")
            page.keyboard.press("r")
            count(page, "2 of 3 decided")
            page.keyboard.press("ArrowLeft")
            assert page.inner_text("#given") == "Decided: it is red"
    with (reviewed / "overrides.csv").open(newline="", encoding="utf-8") as file:
        rows = [list(row.values())[:4] for row in csv.DictReader(file)]
    assert rows == [
        [str(photos / "blue/0.png"), "keep", "blue", ""],
        [str(photos / "green/1.png"), "relabel", "green", "red"],
    ]
    with review(reviewed) as address:
        for page in open_page(context, f"{address}/#token=secret"):
            count(page, "2 of 3 decided")
            assert page.inner_text("#name") == "red/2.png"
            page.keyboard.press("c")
            page.keyboard.type("green")
            page.keyboard.press("Enter")
            count(page, "3 of 3 decided")
            assert page.inner_text("#kind") == "All are decided"
    assert ",relabel,red,green," in (reviewed / "overrides.csv").read_text().splitlines()[-1]
    context.close()


def test_a_review_speaks_the_language_that_is_chosen_and_keeps_it(browser, reviewed):
    context = browser.new_context(locale="de-DE")
    with review(reviewed) as address:
        for page in open_page(context, f"{address}/#token=secret"):
            count(page, "0 von 3 entschieden")
            assert page.inner_text("#kind") == "Der Klassifikator widerspricht"
            assert page.inner_text("#details") == "gehalten für green, 90\u202f% sicher"
            assert page.get_attribute("#arrow", "aria-label") == "vielleicht"
            page.keyboard.press("r")
            count(page, "1 von 3 entschieden")
            page.keyboard.press("ArrowLeft")
            assert page.inner_text("#given") == "Entschieden: es ist green"
            page.fill("#class", "gre")
            page.select_option("#language", "en")
            count(page, "1 of 3 decided")
            assert page.inner_text("#given") == "Decided: it is green"
            assert page.inner_text("#name") == "blue/0.png"
            assert page.input_value("#class") == "gre"
            page.reload()
            count(page, "1 of 3 decided")
            assert page.get_attribute("html", "lang") == "en"
    context.close()


def test_pages_work_below_the_address_of_another_server(browser, sure_run, reviewed):
    context = browser.new_context()
    classify = create_app({"colours": sure_run}, load_on_cpu)
    prefixes = Mount("/pages/1", classify), Mount("/pages/2", build_review(reviewed, token=None))
    above = Starlette(routes=prefixes, lifespan=lambda _: classify.router.lifespan_context(classify))
    with serving(above) as address:
        for page in open_page(context, f"{address}/pages/1/"):
            give(page, ("one.png", encode(draw("blue"))))
            assert labels(page) == ["blue"]
        for page in open_page(context, f"{address}/pages/2/"):
            page.wait_for_selector("#picture:not([hidden])")
            page.keyboard.press("k")
            count(page, "1 of 3 decided")
    context.close()
