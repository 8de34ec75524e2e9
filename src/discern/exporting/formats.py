"""The formats that a classifier can be exported to: how each is written and opened, and which precisions it has."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from discern.errors import ExportError
from discern.exporting.graph import ExportGraph
from discern.exporting.measurement import ExportedFile
from discern.predictor.bundle import Bundle

Precision = Literal["fp32", "fp16", "int8"]
Pictures = Iterable[npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class ExportOrder:
    """What is to be written: a classifier in a precision, and training pictures (H, W, 3) for the ranges of int8."""

    bundle: Bundle
    precision: Precision
    metadata: Mapping[str, str]
    training_pictures: Pictures


@dataclass(frozen=True)
class ExportFormat:
    """One format; `write` makes the file, `load` opens it with a number of threads.

    `companions` are the ends of the names of files that `write` puts beside it.
    """

    name: str
    suffix: str
    precisions: tuple[Precision, ...]
    write: Callable[[ExportOrder, Path], None]
    load: Callable[[Path, int], ExportedFile]
    companions: tuple[str, ...] = ()

    def list_files(self, path: Path) -> tuple[Path, ...]:
        """Return a file of this format and those that belong to it."""
        return path, *(path.with_suffix(suffix) for suffix in self.companions)


def _write_onnx(order: ExportOrder, path: Path) -> None:
    from discern.exporting.onnx_format import build_onnx, save_onnx
    from discern.exporting.quantization import quantize_onnx

    graph = ExportGraph(order.bundle, half=order.precision == "fp16")
    model = build_onnx(graph, order.metadata)
    if order.precision != "int8":
        save_onnx(model, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "fp32.onnx"
        save_onnx(model, source)
        quantize_onnx(source, path, order.training_pictures)


def _load_onnx(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.onnx_format import OnnxFile

    return OnnxFile(path, threads)


def _write_torch(order: ExportOrder, path: Path) -> None:
    from discern.exporting.torch_format import save_torch

    save_torch(ExportGraph(order.bundle, half=order.precision == "fp16"), order.metadata, path)


def _load_torch(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.torch_format import TorchFile

    return TorchFile(path, threads)


def _write_openvino(order: ExportOrder, path: Path) -> None:
    from discern.exporting.onnx_format import build_onnx
    from discern.exporting.openvino_format import save_openvino

    save_openvino(build_onnx(ExportGraph(order.bundle, half=order.precision == "fp16"), order.metadata), path)


def _load_openvino(path: Path, threads: int) -> ExportedFile:
    from discern.exporting.openvino_format import OpenVinoFile

    return OpenVinoFile(path, threads)


FORMATS = {
    found.name: found
    for found in (
        ExportFormat("onnx", ".onnx", get_args(Precision), _write_onnx, _load_onnx),
        ExportFormat("torch", ".pt2", ("fp32", "fp16"), _write_torch, _load_torch),
        ExportFormat("openvino", ".xml", ("fp32", "fp16"), _write_openvino, _load_openvino, (".bin",)),
    )
}


def find_format(name: str) -> ExportFormat:
    """Return a format by its name.

    Raises:
        ExportError: There is none of this name.
    """
    if name in ("litert", "tflite"):
        raise ExportError(
            f"{name} is not written by discern: there are {', '.join(FORMATS)}; for LiteRT, "
            "once TensorFlow Lite, docs/export.md names the converter litert-torch, whose files are not certified"
        )
    if name not in FORMATS:
        raise ExportError(f"there is no export format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def find_format_of(path: Path) -> ExportFormat:
    """Return the format of a file by the end of its name.

    Raises:
        ExportError: No format has such an end.
    """
    for found in FORMATS.values():
        if path.suffix == found.suffix:
            return found
    known = ", ".join(f"{found.suffix} ({found.name})" for found in FORMATS.values())
    raise ExportError(f"{path}: exported files end in {known}")


def check_precision(chosen: ExportFormat, precision: str) -> Precision:
    """Return the precision, where a format has it.

    Raises:
        ExportError: It has not.
    """
    for known in chosen.precisions:
        if precision == known:
            return known
    raise ExportError(f"the format {chosen.name} has no precision {precision!r}; it has {', '.join(chosen.precisions)}")
