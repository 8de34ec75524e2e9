"""HTML: one page with the network, its runtime and all else inside, which classifies wherever it is opened."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.data.reading.preprocess import Preprocess
from discern.errors import ExportError, Option
from discern.exporting.certificate import PageLatency
from discern.exporting.html_page import read_model
from discern.exporting.measurement import REPEATS
from discern.exporting.packages import importing
from discern.exporting.page_session import PageSession
from discern.exporting.web_runtime import NAME

_UNREAD = ("problem_unreadable", "problem_too_large")
"""What the page says of pictures that the browser cannot read."""


def check_decoding(preprocess: Preprocess) -> None:
    """Raise where pictures are decoded in a way that no browser has.

    Raises:
        ExportError: Pictures of more than 8 bits are scaled from a range of values.
    """
    if preprocess.depth_range is not None:
        raise ExportError(
            "the classifier scales pictures of more than 8 bits from a range of values, and browsers decode them to 8 "
            "bits; export it to another format, such as ",
            Option("--format onnx", 'export_format="onnx"'),
        )


def fit_pictures(pictures: Iterable[npt.NDArray[np.uint8]], preprocess: Preprocess) -> Iterator[npt.NDArray[np.uint8]]:
    """Fit pictures (H, W, 3) to (S, S, 3), as the page does before its network sees them."""
    for picture in pictures:
        yield preprocess.fit_image(Image.fromarray(picture)).permute(1, 2, 0).numpy()


class HtmlFile:
    """An exported page in a real browser, without a network; a context manager, which holds the browser.

    The page decodes files itself: pixels are given to it as PNG, which loses nothing.
    """

    def __init__(self, path: Path, threads: int) -> None:  # noqa: ARG002 - a page has one
        self.metadata = _read_metadata(path)
        self.runtime = NAME
        self._session = PageSession(path)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(self._session.close)
            self._session.open()
            self._stack = stack.pop_all()
        self.runtime = f"{NAME} in {self._session.browser}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (N, K) of images (N, H, W, 3)."""
        files = [self._folder / f"{place}.png" for place in range(len(images))]
        for file, image in zip(files, images, strict=True):
            Image.fromarray(image).save(file, compress_level=1)
        answers = self._session.ask(files)
        problem = next((answer.problem for answer in answers if answer.problem), None)
        if problem is not None:
            raise ExportError(f"the page does not answer a PNG: {problem}")
        return np.array([answer.probabilities for answer in answers], dtype=np.float32)

    def predict_files(self, files: Sequence[Path]) -> list[npt.NDArray[np.float32] | None]:
        """Return the probabilities (K,) of each picture, as the page itself decodes it; None where it cannot.

        Raises:
            ExportError: It reads a picture and does not answer it.
        """
        answers = self._session.ask(files)
        for file, answer in zip(files, answers, strict=True):
            if answer.problem not in (None, *_UNREAD):
                raise ExportError(f"the page does not answer {file}: {answer.problem}")
        return [None if answer.problem else np.array(answer.probabilities, dtype=np.float32) for answer in answers]

    def measure_latency(self, image: npt.NDArray[np.uint8]) -> PageLatency:
        """Time the page with one picture (H, W, 3); the first time, which prepares things, does not count."""
        file = self._folder / "timed.jpg"
        Image.fromarray(image).save(file, quality=95)
        answers = self._session.ask([file] * (REPEATS + 1))[1:]
        return PageLatency(
            width_pixels=image.shape[1],
            height_pixels=image.shape[0],
            repeats=REPEATS,
            start_up_seconds=self._session.start_up_seconds,
            picture_seconds=median(answer.milliseconds or 0.0 for answer in answers) / 1000,
        )


def _read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of the network in a page.

    Raises:
        ExportError: It has none that can be read.
    """
    with importing("onnx"):
        import onnx
    try:
        model = read_model(path.read_text(encoding="utf-8"))
    except (OSError, EOFError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: its network is damaged ({error})") from error
    if model is None:
        raise ExportError(f"{path} was not made by discern export: there is no network in it")
    return {entry.key: entry.value for entry in onnx.load_model_from_string(model).metadata_props}
