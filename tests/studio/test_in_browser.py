"""The whole way in a real browser: from a dropped archive and a heap to an exported file."""

import io
import shutil

import pytest
from safetensors.torch import save_file

from discern.models.backbone import build_backbone
from discern.serving.guard import Access
from discern.studio.app import create_studio_app
from pictures import COLOURS, QUICK, draw_photo, draw_photos
from served import serving

TOKEN = "token"
WEIGHTS = "resnet18-half.safetensors"
SECONDS = 60_000


@pytest.fixture
def page(browser, root):
    shutil.rmtree(root / "photos")
    for number in range(24):
        draw_photo(list(COLOURS.values())[number % 3], number).save(root / "heap" / f"{number}.png")
    state = build_backbone("resnet18-half").network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, root / WEIGHTS)
    context = browser.new_context(locale="en", accept_downloads=True)
    context.set_default_timeout(SECONDS)
    opened, problems, elsewhere = context.new_page(), [], []
    opened.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: elsewhere.append(request.url))
    with serving(create_studio_app(root, Access({"127.0.0.1"}, TOKEN))) as address:
        opened.goto(f"{address}/#token={TOKEN}")
        yield opened
        context.close()
    assert problems == []
    assert [url for url in elsewhere if not url.startswith((address, "blob:", "data:"))] == []


def choose(page, tab, **choices):
    page.click(f"#tab-{tab}")
    for name, value in choices.items():
        field = page.locator(f"#{tab}-{name}")
        field.select_option(value) if field.evaluate("it => it.tagName") == "SELECT" else field.fill(value)


def test_from_pictures_to_an_exported_file(page, root, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "birds"), "zip", draw_photos(tmp_path / "birds", per_class=8))
    page.set_input_files("#choose-file", archive)
    page.wait_for_selector("#sources .chosen:has-text('birds.zip')")

    # Train, and watch it.
    choose(page, "train", weights="none")
    page.click("#train summary")
    choose(page, "train", recipe="table", settings=" ".join([*QUICK[2:-2], "epochs=4"]), backbone="resnet18-half")
    page.wait_for_selector("#train-command code:has-text('--recipe table')")
    page.click("#train-form button.main")
    page.wait_for_selector("#run-view:has-text('Complete')")
    assert page.locator("#run-view svg[role=img]").count() == 2
    assert (root / "runs" / "birds" / "bundle" / "bundle.json").is_file()

    # See the report, and try a picture.
    page.click("#run-view button:has-text('See the report')")
    assert page.frame_locator("#report-frame iframe").locator("h1").inner_text() == "birds"
    page.click("#tab-try")
    page.click("#try-form button")
    tried = page.frame_locator("#try-frame iframe")
    tried.locator("#subtitle:has-text('3 classes')").wait_for()
    content = io.BytesIO()
    draw_photo((200, 50, 40), 7).save(content, "PNG")
    tried.locator("#choose").set_input_files([{"name": "1.png", "mimeType": "image/png", "buffer": content.getvalue()}])
    tried.locator("#results .card:not(.working) .label").wait_for()

    # Export, after a reload: the tab and the run are still chosen.
    page.click("#tab-export")
    page.reload()
    page.wait_for_selector("#export:visible")
    choose(page, "export", format="state-dict")
    page.click("#export-form button.main")
    with page.expect_download() as download:
        page.click("#exports a:has-text('Download')")
    assert download.value.suggested_filename.startswith("birds")

    page.click("#tab-compare")
    assert page.locator("#runs tbody tr").count() == 1


def test_a_heap_is_labelled_in_the_page(page, root):
    page.wait_for_selector("#sources :text('heap')")
    choose(page, "label", classes="red, green, blue", weights=WEIGHTS)
    page.wait_for_selector("#label-command code:has-text('model.backbone=resnet18-half')")
    page.click("#label-form button.main")
    asked = page.frame_locator("#label-frame iframe")
    asked.locator("#picture").wait_for()
    asked.locator("#count:has-text('0 of 24')").wait_for()
    page.keyboard.press("1")
    asked.locator("#count:has-text('1 of 24')").wait_for()
    assert (root / "labels" / "heap" / "labels.csv").read_text().count("red") >= 1
    page.click("#label-frame button:has-text('Close')")
    page.wait_for_selector("#sources :text('labels/heap/labels.csv')", state="attached")
