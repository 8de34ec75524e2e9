"""A page in a real browser without a network: what it answers, how long that takes, and what it asks for."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from discern.errors import ExportError, one_line
from discern.exporting.packages import importing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_CHANNELS = ("chrome", "msedge", None)
"""Where playwright itself looks; the last one is what it has installed."""
_START_MILLISECONDS = 300_000
_MAKE_INPUT = "Object.assign(document.createElement('input'), { type: 'file', multiple: true })"
_ASK = """async (input) => {
  const answers = [];
  for (const file of input.files) {
    try {
      const { probabilities, milliseconds } = await discern.classify(file);
      answers.push({ probabilities, milliseconds, problem: null });
    } catch (error) {
      answers.push({ probabilities: null, milliseconds: null, problem: error.problem ?? String(error) });
    }
  }
  return answers;
}"""

_T = TypeVar("_T")


class PageAnswer(NamedTuple):
    """What the page answers to a file: probabilities (K) and the time from its bytes on, or why it cannot."""

    probabilities: list[float] | None
    milliseconds: float | None
    problem: str | None


def check_browser() -> None:
    """Raise where there is no browser to try a page in.

    Raises:
        ExportError: None is found, or playwright is missing.
    """
    with ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        thread.submit(stack.enter_context, open_browser()).result()
        thread.submit(stack.close).result()


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """Open a headless browser: Chromium, Chrome or Edge, as it is installed.

    Raises:
        ExportError: None is found, or playwright is missing.
    """
    with importing("playwright", "playwright.sync_api", extra="html"):
        from playwright.sync_api import sync_playwright
    with sync_playwright() as driver:
        yield _launch(driver.chromium)


class PageSession:
    """An exported page, open in a browser.

    The browser is driven from a thread of its own, since playwright refuses to work where an event loop runs, as in
    notebooks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._thread = ThreadPoolExecutor(1)
        self._stack = ExitStack()
        self._requests: list[str] = []
        self._errors: list[str] = []
        self.browser = ""
        self.start_up_seconds = 0.0

    def open(self) -> None:
        """Open the page.

        Raises:
            ExportError: There is no browser, or the page does not start in it.
        """
        self._run(self._open)

    def close(self) -> None:
        """Close the browser."""
        self._run(self._stack.close)
        self._thread.shutdown()

    def ask(self, files: Sequence[Path]) -> list[PageAnswer]:
        """Return what the page answers to files, one after the other.

        Raises:
            ExportError: It reports an error, or asks for something.
        """
        return self._run(lambda: self._ask(files))

    def _run(self, action: Callable[[], _T]) -> _T:
        return self._thread.submit(action).result()

    def _open(self) -> None:
        from playwright.sync_api import Error

        browser = self._stack.enter_context(open_browser())
        self.browser = f"Chromium {browser.version}"
        context = browser.new_context(offline=True)
        self._page = context.new_page()
        self._page.on("request", lambda request: self._note_request(request.url))
        self._page.on("pageerror", lambda error: self._errors.append(str(error)))
        self._page.on("console", lambda message: self._errors.append(message.text) if message.type == "error" else None)
        try:
            self._page.goto(self._path.as_uri(), timeout=_START_MILLISECONDS)
            self.start_up_seconds = self._page.evaluate("discern.started") / 1000
            made = self._page.evaluate_handle(_MAKE_INPUT).as_element()
        except Error as error:
            reason = self._errors[0] if self._errors else error
            raise ExportError(f"the page does not start in {self.browser}: {one_line(reason)}") from error
        assert made is not None
        self._input = made
        self._check()

    def _note_request(self, url: str) -> None:
        if not url.startswith(("blob:", "data:")) and url != self._path.as_uri():
            self._requests.append(url)

    def _ask(self, files: Sequence[Path]) -> list[PageAnswer]:
        from playwright.sync_api import Error

        try:
            self._input.set_input_files(files)
            answers = [PageAnswer(**answer) for answer in self._page.evaluate(_ASK, self._input)]
        except Error as error:
            raise ExportError(f"the page breaks off in {self.browser}: {one_line(error)}") from error
        self._check()
        return answers

    def _check(self) -> None:
        """Raise when the page asked for something, which the browser refuses, or reported an error."""
        if self._requests:
            raise ExportError(f"the page asks for {one_line(self._requests[0])}, and it must ask for nothing")
        if self._errors:
            raise ExportError(f"the page reports an error in {self.browser}: {one_line(self._errors[0])}")


def _launch(chromium: Any) -> "Browser":
    """Start the first browser that is found."""
    from playwright.sync_api import Error

    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    ways = [{"executable_path": found}] if found else [{"channel": channel} for channel in _CHANNELS]
    reasons = []
    for way in ways:
        try:
            browser: Browser = chromium.launch(**way)
        except Error as error:
            reasons.append(one_line(error))
        else:
            return browser
    raise ExportError(
        "no browser was found to prove the page in, and it is not written unproven: install Chromium, Chrome or Edge, "
        "for instance with `playwright install chromium`, or export where there is one, from the same run "
        f"({reasons[-1]})"
    )
