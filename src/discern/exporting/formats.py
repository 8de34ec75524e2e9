"""The formats that a classifier can be exported to: how each is written and opened, and which precisions it has.

To add a format, decorate the function that writes it with `register_export_format`.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from torch import nn

from discern.config.sections.training import Tta
from discern.engine.views import NUM_VIEWS
from discern.errors import ConfigError, ExportError, option
from discern.exporting.description import GRAPH, PAGE, WEIGHTS, Interface, describe_export
from discern.exporting.graph import ExportGraph
from discern.exporting.measurement import ExportedFile
from discern.exporting.public_bundle import make_public
from discern.models.ensemble import EnsembleHead
from discern.predictor.bundle import Bundle
from discern.registry import Registry

Precision = Literal["fp32", "fp16", "int8"]
Pictures = Iterable[npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class ExportOrder:
    """What to write: a classifier in a precision, and training pictures (H, W, 3) for the value ranges of int8."""

    bundle: Bundle
    precision: Precision
    metadata: Mapping[str, str]
    training_pictures: Pictures


Write = Callable[[ExportOrder, Path], None]
Load = Callable[[Path, int], ExportedFile]


@dataclass(frozen=True)
class ExportFormat:
    """One format: `write` makes the file, `load` opens it with a number of threads, `interface` says what it takes."""

    name: str
    suffix: str
    precisions: tuple[Precision, ...]
    write: Write
    load: Load
    interface: Interface

    @contextmanager
    def opening(self, path: Path, threads: int) -> Iterator[ExportedFile]:
        """Open a file, and close it at the end where it has anything to close, as a context manager has."""
        exported = self.load(path, threads)
        with exported if isinstance(exported, AbstractContextManager) else nullcontext():
            yield exported


EXPORT_FORMATS: Registry[ExportFormat] = Registry("export format")


def register_export_format(
    name: str, *, suffix: str, precisions: Sequence[Precision], load: Load, interface: Interface = GRAPH
) -> Callable[[Write], Write]:
    """Return a decorator that adds a format, whose function writes one file.

    Args:
        name: What `--format` calls it.
        suffix: The end of its file names, which identifies the format: ".onnx".
        precisions: Those that it can be written in.
        load: Opens a file with a number of threads; what the file says of itself must contain the metadata.
        interface: What goes into its network and what comes out; by default pictures and probabilities.

    Raises:
        ConfigError: The name or the suffix belongs to another format.
    """

    def add(write: Write) -> Write:
        other = _map_suffixes().get(suffix)
        if other is not None and other.name != name:
            raise ConfigError(f"files of the export format {other.name} end in {suffix}, too; take another suffix")
        EXPORT_FORMATS.register(name)(ExportFormat(name, suffix, tuple(precisions), write, load, interface))
        return write

    return add


def find_format(name: str) -> ExportFormat:
    """Return a format by its name.

    Raises:
        ConfigError: There is none of this name.
    """
    if name in ("litert", "tflite"):
        raise ConfigError(
            f"{name} is not written by discern: there are {', '.join(EXPORT_FORMATS)}; for LiteRT, "
            "once TensorFlow Lite, docs/reference/export.md names the converter litert-torch, whose files are not "
            "certified"
        )
    if name == "openvino":
        raise ConfigError("openvino is not written by discern, since OpenVINO reads ONNX files: export to onnx")
    return EXPORT_FORMATS.find(name)


def has_format(path: Path) -> bool:
    """Return whether the name of a file ends as one of the formats does."""
    return path.suffix in _map_suffixes()


def find_format_of(path: Path) -> ExportFormat:
    """Return the format of a file by the end of its name.

    Raises:
        ExportError: No format has such an end.
    """
    formats = _map_suffixes()
    if path.suffix not in formats:
        known = ", ".join(f"{suffix} ({found.name})" for suffix, found in formats.items())
        raise ExportError(f"{path}: exported files end in {known}")
    return formats[path.suffix]


def _map_suffixes() -> dict[str, ExportFormat]:
    return {found.suffix: found for found in EXPORT_FORMATS.values()}


def check_precision(chosen: ExportFormat, precision: str) -> Precision:
    """Return the precision, where a format has it.

    Raises:
        ExportError: It has not.
    """
    for known in chosen.precisions:
        if precision == known:
            return known
    raise ExportError(f"the format {chosen.name} has no precision {precision!r}; it has {', '.join(chosen.precisions)}")


def check_tta(chosen: ExportFormat, tta: Tta) -> None:
    """Raise where a format has no place for test-time augmentation.

    Raises:
        ExportError: It has not.
    """
    if tta != "none" and chosen.interface is WEIGHTS:
        raise ExportError(
            f"the classifier answers with the mean over {NUM_VIEWS[tta]} views (tta={tta}), and the format "
            f"{chosen.name} has weights alone; export it to onnx or torch, or without the views by ",
            option("tta", "none"),
        )


def _load_onnx(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.onnx_format import OnnxFile

    return OnnxFile(path, threads)


@register_export_format("onnx", suffix=".onnx", precisions=get_args(Precision), load=_load_onnx)
def _write_onnx(order: ExportOrder, path: Path) -> None:
    _write_graph(ExportGraph(order.bundle, half=order.precision == "fp16"), order, path)


def _write_graph(graph: ExportGraph, order: ExportOrder, path: Path) -> None:
    """Write a graph as an ONNX file in the precision of an order."""
    from discern.exporting.onnx_format import build_onnx, save_onnx
    from discern.exporting.quantization import quantize_onnx

    model = build_onnx(graph, order.metadata)
    if order.precision != "int8":
        save_onnx(model, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "fp32.onnx"
        save_onnx(model, source)
        quantize_onnx(source, path, order.training_pictures, head_layers=_count_head_layers(order.bundle))


def _count_head_layers(bundle: Bundle) -> int:
    """Return how many linear layers at the end of a network are not quantized."""
    head = bundle.classifier.head
    if not isinstance(head, EnsembleHead):
        return 1
    return sum(isinstance(module, nn.Linear) for module in head.modules())


def _load_torch(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.torch_format import TorchFile

    return TorchFile(path, threads)


@register_export_format("torch", suffix=".pt2", precisions=("fp32", "fp16"), load=_load_torch)
def _write_torch(order: ExportOrder, path: Path) -> None:
    from discern.exporting.torch_format import save_torch

    save_torch(ExportGraph(order.bundle, half=order.precision == "fp16"), order.metadata, path)


def _load_html(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.html_format import HtmlFile

    return HtmlFile(path, threads)


@register_export_format("html", suffix=".html", precisions=get_args(Precision), load=_load_html, interface=PAGE)
def _write_html(order: ExportOrder, path: Path) -> None:
    from discern.exporting.html_format import check_decoding, fit_pictures
    from discern.exporting.html_page import save_page
    from discern.exporting.page_session import check_browser
    from discern.exporting.web_runtime import load_web_runtime

    check_decoding(order.bundle.preprocess)
    check_browser()
    runtime = load_web_runtime()
    bundle = make_public(order.bundle)
    metadata = describe_export(bundle, order.precision, order.metadata["weights_sha256"], PAGE)
    fitted = fit_pictures(order.training_pictures, bundle.preprocess)
    public = ExportOrder(bundle, order.precision, metadata, fitted)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        _write_graph(ExportGraph(bundle, half=order.precision == "fp16", fits=False), public, model)
        save_page(path, bundle, order.precision, model.read_bytes(), runtime)


def _load_weights(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.weights_format import WeightsFile

    return WeightsFile(path, threads)


@register_export_format(
    "state-dict", suffix=".safetensors", precisions=("fp32",), load=_load_weights, interface=WEIGHTS
)
def _write_safetensors(order: ExportOrder, path: Path) -> None:
    from discern.exporting.weights_format import save_safetensors

    save_safetensors(order.bundle, order.metadata, path)


@register_export_format("pth", suffix=".pth", precisions=("fp32",), load=_load_weights, interface=WEIGHTS)
def _write_pth(order: ExportOrder, path: Path) -> None:
    from discern.exporting.weights_format import save_pth

    save_pth(order.bundle, order.metadata, path)
