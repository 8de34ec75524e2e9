"""The whole way in a real browser: from a heap, or an archive that is brought, to an exported file."""

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
NUM_LABELS = 12
MILLISECONDS = 60_000


def test_classes_in_the_folder_itself_come_with_the_command_that_trains_on_them(browser, root):
    page = browser.new_page(locale="en")
    with serving(create_studio_app(root / "photos", Access({"127.0.0.1"}, TOKEN))) as address:
        page.goto(f"{address}/#token={TOKEN}")
        assert page.inner_text("#sources .chosen code") == f"discern studio {root}"
        assert page.is_disabled("#sources .chosen :text('Train on it')")
        page.close()


@pytest.fixture
def page(browser, root):
    shutil.rmtree(root / "photos")
    for number in range(24):
        draw_photo(list(COLOURS.values())[number % 3], number).save(root / "heap" / f"{number}.png")
    state = build_backbone("resnet18-half").network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, root / WEIGHTS)
    context = browser.new_context(locale="en", accept_downloads=True)
    context.set_default_timeout(MILLISECONDS)
    opened, elsewhere = context.new_page(), []
    opened.problems = problems = []
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


def test_an_archive_is_brought_here(page, root, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "birds"), "zip", draw_photos(tmp_path / "birds", per_class=1))
    page.set_input_files("#choose-file", archive)
    page.wait_for_selector("#sources .chosen:has-text('birds.zip')")
    assert "birds.zip" not in page.locator("#label-source option").all_inner_texts()
    page.click("#sources .chosen :text('Train on it')")
    page.wait_for_selector("#train-command code:has-text('discern train birds.zip --out runs/birds')")
    page.click("#train summary")
    page.fill("#train-settings", "model.weights=../../net")
    page.wait_for_selector("#train-command code:has-text('lies outside of the folder')")
    page.click("#train-form button.main")
    page.wait_for_selector("#problem:has-text('lies outside of the folder')")
    page.select_option("#language", "de")
    assert page.inner_text("#tab-train") == "Trainieren"
    # The two refusals, which Chromium names as well.
    assert len(page.problems) == 2
    page.problems.clear()


def test_from_a_heap_to_an_exported_file(page, root):
    # Label some pictures by keys; a class is as good as another here.
    page.click("#sources .item:has-text('heap') :text('Label it')")
    choose(page, "label", classes="red, green, blue", weights=WEIGHTS)
    page.wait_for_selector("#label-command code:has-text('model.backbone=resnet18-half')")
    page.click("#label-form button.main")
    asked = page.frame_locator("#label-frame iframe")
    for count in range(NUM_LABELS):
        asked.locator(f"#count:has-text('{count} of 24')").wait_for()
        asked.locator("#main[aria-busy=false]").wait_for()
        page.keyboard.press(str(count % 3 + 1))
    asked.locator(f"#count:has-text('{NUM_LABELS} of 24')").wait_for()
    # A page in a frame speaks as the studio does, at once and after a reload.
    page.select_option("#language", "de")
    asked.locator(f"#count:has-text('{NUM_LABELS} von 24')").wait_for()
    page.reload()
    asked.locator(f"#count:has-text('{NUM_LABELS} von 24')").wait_for()
    page.select_option("#language", "en")
    asked.locator(f"#count:has-text('{NUM_LABELS} of 24')").wait_for()
    asked.locator("#finish").click()

    # Train on the labels, and watch it.
    page.click("#label-frame button:has-text('Train on the labels')")
    page.wait_for_selector("#train-command code:has-text('discern train labels/heap/labels.csv --out runs/heap')")
    choose(page, "train", weights="none")
    page.click("#train summary")
    choose(page, "train", recipe="table", settings=" ".join([*QUICK[2:-2], "epochs=4"]), backbone="resnet18-half")
    page.wait_for_selector("#train-command code:has-text('--recipe table')")
    page.click("#train-form button.main")
    page.wait_for_selector("#run-view:has-text('Complete')")
    assert page.locator("#run-view svg[role=img]").count() == 2
    assert (root / "runs" / "heap" / "bundle" / "bundle.json").is_file()

    # See the report, and try a picture.
    page.click("#run-view button:has-text('See the report')")
    assert page.frame_locator("#report-frame iframe").locator("h1").inner_text() == "heap"
    page.click("#tab-try")
    page.click("#try-form button")
    tried = page.frame_locator("#try-frame iframe")
    tried.locator("#subtitle:has-text('3 classes')").wait_for()
    tried.locator("#choose").set_input_files(root / "heap" / "0.png")
    tried.locator("#results .card:not(.working) .label").wait_for()

    # Export, after a reload: the tab and the run are still chosen.
    page.click("#tab-export")
    page.reload()
    page.wait_for_selector("#export:visible")
    choose(page, "export", format="state-dict")
    page.click("#export-form button.main")
    with page.expect_download() as download:
        page.click("#exports a:has-text('Download')")
    assert download.value.suggested_filename.startswith("heap")

    page.click("#tab-compare")
    assert page.locator("#runs tbody tr").count() == 1
