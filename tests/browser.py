"""A real browser for the pages that the program writes: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def open_browser() -> Iterator:
    """Yield a headless browser with a camera that shows a drawing, or skip the test with what is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("needs a Chromium to open pages with: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *_CAMERA])
        yield browser
        browser.close()


def check_live_camera(page) -> None:
    """Check that a page of the three colours answers what the camera sees, keeps a frame, and lets the camera go."""
    page.click("#watch")
    page.locator("#camera .bars li").first.wait_for()
    assert page.locator("#camera .label").inner_text() in ("blue", "green", "red")
    page.click("#keep")
    page.locator("#results .card:not(.working)").wait_for()
    page.click("#stop")
    assert not page.locator("#camera").is_visible()
