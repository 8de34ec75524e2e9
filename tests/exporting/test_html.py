"""An exported page from the command to a person: proven, opened from a file, asked with pictures, and refused."""

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from browser import check_live_camera
from discern.data.reading.decode import decode_image
from discern.errors import ExportError
from discern.exporting.certificate_file import certificate_path, load_certificate
from discern.exporting.html_format import HtmlFile
from discern.exporting.html_page import read_model
from discern.predictor.bundle import load_bundle
from discern.workflows.export import export, verify_export
from pictures import draw_photo

WAIT = "async () => { while (document.querySelector('.working')) await new Promise((go) => setTimeout(go, 20)); }"
GREEN, RED = (40, 180, 60), (200, 50, 40)


@pytest.fixture(scope="module")
def exported_html(trained_run, web_runtime, few_photos, browser, tmp_path_factory):
    """The trained run as a page with its certificate; tests must not change it."""
    out = tmp_path_factory.mktemp("exported") / "colours.html"
    return export(trained_run, export_format="html", out=out, data=few_photos)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files of several kinds, by name, and one that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    red = draw_photo(RED, 1, size=60)
    exif = Image.Exif()
    exif[0x0112] = 6
    red.crop((0, 0, 60, 40)).save(folder / "turned.jpg", quality=95, exif=exif)
    see_through = draw_photo(GREEN, 2).convert("RGBA")
    see_through.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 40).astype(np.uint8), (40, 1))))
    see_through.save(folder / "see-through.png")
    Image.fromarray(np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16)).save(folder / "deep.png")
    red.convert("L").save(folder / "grey.png")
    red.save(folder / "moving.gif", save_all=True, append_images=[draw_photo(GREEN, 3, size=60)])
    red.save(folder / "=red.webp", lossless=True)
    (folder / "broken.jpg").write_bytes((folder / "turned.jpg").read_bytes()[:80])
    return {file.name: file for file in folder.iterdir()}


@pytest.fixture
def page(exported_html, browser):
    context = browser.new_context(offline=True, locale="en-GB", viewport={"width": 390, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.requests, opened.errors = [], []
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on("console", lambda message: opened.errors.append(message.text) if message.type == "error" else None)
    opened.goto(exported_html.as_uri())
    opened.evaluate("discern.started")
    yield opened
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith("blob:")] == [exported_html.as_uri()]
    context.close()


def choose(page, *files):
    page.set_input_files("#choose", files)
    page.evaluate(WAIT)


def test_the_certificate_holds_what_was_measured_in_the_browser(exported_html):
    certificate = load_certificate(exported_html)
    assert certificate.export_format == "html"
    assert certificate.same_pixels.label_agreement == certificate.from_files.label_agreement == 1
    assert certificate.same_pixels.largest_probability_difference < 1e-4
    assert certificate.from_files.largest_probability_difference < 1e-4
    assert certificate.runtime.startswith("onnxruntime-web 1.")
    assert "Chromium" in certificate.runtime
    assert certificate.size_bytes == exported_html.stat().st_size
    content = json.loads(certificate_path(exported_html).read_text())
    assert content["latency"]["start_up_seconds"] > 0
    assert content["latency"]["picture_seconds"] > 0
    assert content["unread"] == []


def test_it_holds_no_path_and_no_picture(exported_html, trained_run, photos, few_photos):
    page = exported_html.read_text()
    for text in (page.encode(), read_model(page)):
        for path in (trained_run, photos, few_photos):
            assert str(path).encode() not in text
    assert "data:image" not in page


def test_files_of_all_kinds_are_answered_as_by_discern(exported_html, pictures, trained_run, predict_alike):
    names = [name for name in pictures if name != "broken.jpg"]
    with HtmlFile(exported_html, 1) as opened:
        answers = opened.predict_files([pictures[name] for name in names])
        assert opened.predict_files([pictures["broken.jpg"]]) == [None]
    bundle = load_bundle(trained_run)
    for name, answer in zip(names, answers, strict=True):
        ours = predict_alike(bundle, np.asarray(decode_image(pictures[name]))[None])
        # Transparency and 16 bits may come out one level apart.
        np.testing.assert_allclose(answer, ours[0], atol=0.02 if name in ("see-through.png", "deep.png") else 1e-4)


def test_pictures_become_cards_a_summary_and_a_table(page, pictures):
    choose(page, pictures["=red.webp"], pictures["broken.jpg"])
    assert page.locator("#results .label").all_inner_texts() == ["red", "Not answered"]
    assert page.locator(".card.failed .why").inner_text().startswith("This browser cannot read it as a picture.")
    assert page.locator("#summary").inner_text() == "2 pictures · 1 answered · 1 not readable"
    assert page.locator("#live").inner_text() == "2 pictures · 1 answered · 1 not readable"
    assert page.locator("#results .shown").first.get_attribute("alt") == "Taken for red"
    assert page.locator("#results .bars").first.locator("li").count() == 3
    with page.expect_download() as caught:
        page.click("#csv")
    assert caught.value.suggested_filename == "colours.csv"
    first, second = csv.DictReader(caught.value.path().read_text().splitlines())
    assert (first["name"], first["label"], first["guess"]) == ("'=red.webp", "red", "red")
    assert 0.5 < float(first["confidence"]) <= 1
    assert second["name"] == "broken.jpg"
    assert second["error"].startswith("This browser cannot read it")
    page.click("#clear")
    assert page.locator("#results li").count() == 0


def test_where_an_error_is_chosen_an_unsure_answer_is_unknown(page, pictures):
    point = {"max_error": 0.1, "threshold": 0.9999999, "coverage": 0.5, "error": 0, "error_high": 0.1, "pictures": 60}
    page.evaluate("(point) => { discern.facts.thresholds[3] = point; }", point)
    page.select_option("#language", "en")
    choose(page, pictures["deep.png"])
    assert page.locator(".label").last.inner_text() in ("blue", "green", "red")
    page.select_option("#max-error", "0.1")
    assert page.locator("#results .label").inner_text() == "unknown"
    assert (
        "which is too little for the error you allow. The best guess is " in page.locator("#results .why").inner_text()
    )
    assert page.locator("#promise").inner_text().startswith("An answer takes a confidence of >99.9\u202f%")
    page.select_option("#max-error", "")
    assert page.locator("#results .label").inner_text() != "unknown"


def test_what_the_validation_pictures_cannot_support_cannot_be_chosen(page):
    options = page.locator("#max-error option")
    assert options.all_inner_texts()[1] == "at most 1\u202f% (cannot be promised)"
    assert options.nth(1).is_disabled()


def test_it_speaks_another_language(page, pictures):
    choose(page, pictures["grey.png"])
    page.select_option("#language", "de")
    assert page.locator("html").get_attribute("lang") == "de"
    assert page.locator("h1").inner_text() == "Blue, green oder red?"
    assert page.locator("#summary").inner_text() == "1 Bild · 1 beantwortet"
    assert "Kein Bild verlässt dieses Gerät" in page.locator("#drop").text_content()


def test_it_works_by_keyboard_and_fits_a_phone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#tab-classify")
    page.keyboard.press("ArrowRight")
    card = page.locator("#card")
    assert card.is_visible()
    text = card.inner_text()
    for part in ("resnet18-half", "blue, green, red", "32 \u00d7 32 pixels", "6 pictures", "onnxruntime-web"):
        assert part in text
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_everything_has_a_name_for_those_who_cannot_see_it(page):
    for control in page.locator("button, select, input").all():
        name = control.evaluate("(e) => e.innerText || e.closest('label')?.innerText || e.labels?.[0]?.innerText || ''")
        assert name.strip() or not control.is_visible()


def test_a_picture_can_be_pasted_and_dropped(page, pictures):
    give = """([kind, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], "given.png", { type: "image/png" }));
      const given = kind === "paste" ? { clipboardData: data } : { dataTransfer: data };
      const event = kind === "paste" ? ClipboardEvent : DragEvent;
      document.dispatchEvent(new event(kind, { ...given, bubbles: true, cancelable: true }));
    }"""
    for count, kind in enumerate(("paste", "drop"), start=1):
        page.evaluate(give, [kind, list(pictures["grey.png"].read_bytes())])
        page.evaluate(WAIT)
        assert page.locator("#results .card").count() == count


def test_the_camera_is_answered_live(page):
    check_live_camera(page)


def test_verifying_repeats_the_certificate_and_finds_changes(trained_run, few_photos, exported_html, tmp_path):
    file = tmp_path / exported_html.name
    file.write_bytes(exported_html.read_bytes())
    assert verify_export(trained_run, file, data=few_photos).same_pixels.label_agreement == 1
    file.write_text(file.read_text().replace('id="model">', 'id="other">'))
    with pytest.raises(ExportError, match="was changed after its certificate was issued"):
        verify_export(trained_run, file, data=few_photos)
    certificate_path(file).unlink()
    with pytest.raises(ExportError, match=r"was not made by discern export: there is no network in it"):
        verify_export(trained_run, file, data=few_photos)


def test_a_page_that_asks_for_something_or_fails_is_refused(trained_run, few_photos, exported_html, tmp_path):
    file = tmp_path / "page.html"
    text = exported_html.read_text()
    file.write_text(text.replace('<link rel="icon"', '<link rel="stylesheet" href="other.css"><link rel="icon"'))
    with pytest.raises(ExportError, match=r"the page (asks for|reports an error in Chromium).*other.css"):
        verify_export(trained_run, file, data=few_photos)
    file.write_text(text.replace("const facts = JSON.parse", "const facts = JSON.parsed"))
    with pytest.raises(ExportError, match="the page does not start in Chromium"):
        verify_export(trained_run, file, data=few_photos)


@pytest.fixture
def translated(exported_html, monkeypatch):
    """Spare the translation of the network."""
    import onnx

    model = onnx.load_model_from_string(read_model(exported_html.read_text()))
    monkeypatch.setattr("discern.exporting.onnx_format.build_onnx", lambda graph, metadata: model)


def test_a_page_that_answers_differently_is_not_written(trained_run, few_photos, translated, tmp_path, monkeypatch):
    ask = HtmlFile.predict_files
    monkeypatch.setattr(HtmlFile, "predict_files", lambda self, files: [np.roll(one, 1) for one in ask(self, files)])
    with pytest.raises(ExportError, match=r"only 0.0 % of the labels agree with those of discern predict"):
        export(trained_run, export_format="html", out=tmp_path / "x.html", data=few_photos)
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_the_error_says_what_to_install(trained_run, few_photos, tmp_path, monkeypatch):
    monkeypatch.setattr("discern.exporting.page_session.shutil.which", lambda name: None)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    with pytest.raises(ExportError, match=r"no browser was found.*install Chromium, Chrome or Edge"):
        export(trained_run, export_format="html", out=tmp_path / "x.html", data=few_photos)
    monkeypatch.delitem(sys.modules, "playwright.sync_api")
    monkeypatch.setitem(sys.modules, "playwright", None)
    with pytest.raises(ExportError, match=r"needs the package playwright.*pip install 'discern-vision\[html\]'"):
        export(trained_run, export_format="html", out=tmp_path / "x.html", data=few_photos)
    assert not (tmp_path / "x.html").exists()


def test_what_browsers_cannot_decode_is_refused(make_bundle, trained_run, few_photos, tmp_path):
    from dataclasses import replace

    folder = make_bundle(preprocess=replace(load_bundle(trained_run).preprocess, depth_range=(0.0, 4095.0)))
    with pytest.raises(ExportError, match="scales pictures of more than 8 bits from a range of values"):
        export(folder, export_format="html", out=tmp_path / "x.html", data=few_photos)
