"""Static 8-bit quantization of the network inside an ONNX file; what lies before and behind it stays exact."""

import contextlib
import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from discern.export.graph import INPUT
from discern.export.onnx_format import NETWORK_SCOPE
from discern.export.packages import importing

if TYPE_CHECKING:
    import onnx

CALIBRATION_PICTURES = 128


def quantize_onnx(model: "onnx.ModelProto", path: Path, pictures: Iterable[npt.NDArray[np.uint8]]) -> None:
    """Write a model whose network computes in 8 bits, with ranges seen on training pictures (H, W, 3) of any size.

    Weights are int8, one scale a channel; activations uint8, one range each: the mean of the least and greatest values
    of the pictures. The first convolution and the head stay in float32: they are cheap, and errors there cost most.

    Raises:
        ExportError: A package is missing.
    """
    with importing("onnxruntime"):
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    network = [node for node in model.graph.node if node.name.startswith(f"{NETWORK_SCOPE}/")]
    first = [node.name for node in network if node.op_type == "Conv"][:1]
    head = [node.name for node in network if node.op_type == "Gemm"][-1:]
    with _quiet():
        quantize_static(
            model,
            path,
            _Reader(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[node.name for node in network if node.name not in (*first, *head)],
            extra_options={"CalibMovingAverage": True},
        )


class _Reader:
    """Hands pictures to onnxruntime one by one, each of its own size."""

    def __init__(self, pictures: Iterable[npt.NDArray[np.uint8]]) -> None:
        self._pictures = iter(pictures)

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        """Return the next picture as a batch of one, or None at the end."""
        picture = next(self._pictures, None)
        return None if picture is None else {INPUT: picture[None]}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the advice that onnxruntime logs and prints to itself; what fails is raised."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
