"""ONNX: one file for every runtime that reads the format."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from discern.errors import ExportError, Option, option
from discern.exporting.graph import INPUT, OUTPUTS, ExportGraph, trace_export
from discern.exporting.packages import importing

if TYPE_CHECKING:
    import onnx

OPSET = 20
NETWORK_SCOPE = "network"
_MAX_BYTES = 2**31 - 1
_SCOPES = "pkg.torch.onnx.name_scopes"


def build_onnx(graph: ExportGraph, metadata: Mapping[str, str]) -> "onnx.ModelProto":
    """Translate a graph to ONNX; the names of the nodes of the network itself begin with `NETWORK_SCOPE`.

    Raises:
        ExportError: A package is missing, or the network has an operation that ONNX lacks.
    """
    import torch

    with importing("onnx", "onnxscript"):
        import onnx
        import onnxscript  # noqa: F401 - torch needs it
    try:
        with _quiet():
            program = torch.onnx.export(
                trace_export(graph),
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ExportError(f"the network cannot be translated to ONNX: {error}") from error
    assert program is not None
    model = program.model_proto
    _tidy(model)
    onnx.helper.set_model_props(model, dict(metadata))
    return model


def save_onnx(model: "onnx.ModelProto", path: Path) -> None:
    """Write a model as one file.

    Raises:
        ExportError: It is larger than the 2 GiB that a file of this format can hold.
    """
    if model.ByteSize() > _MAX_BYTES:
        raise ExportError(
            f"the network takes {model.ByteSize() / 2**30:.1f} GiB, and one ONNX file holds at most 2 GiB; use ",
            option("precision", "fp16"),
            " or ",
            Option("--format torch", 'export_format="torch"'),
        )
    path.write_bytes(model.SerializeToString())


class OnnxFile:
    """An exported file under onnxruntime, on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        with importing("onnxruntime"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ExportError(f"{path} cannot be read as ONNX: {str(error).splitlines()[0]}") from error
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.runtime = f"onnxruntime {onnxruntime.__version__}"

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (N, K) of images (N, H, W, 3)."""
        (probabilities,) = self._session.run(OUTPUTS[:1], {INPUT: images})
        return np.asarray(probabilities)


def _tidy(model: "onnx.ModelProto") -> None:
    """Name nodes by their part and axes by their meaning; drop notes about the source code and where it was."""
    for number, node in enumerate(model.graph.node):
        scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "")
        part = NETWORK_SCOPE if f"'{NETWORK_SCOPE}." in scopes else "around"
        node.name = f"{part}/{number}/{node.op_type}"
    _drop_notes(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, ("pictures", "height", "width"), strict=False):
            if axis.dim_param:
                axis.dim_param = name
    del model.graph.value_info[:]


def _drop_notes(graph: "onnx.GraphProto") -> None:
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _drop_notes(attribute.g)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress of the translator; errors are raised as always."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
