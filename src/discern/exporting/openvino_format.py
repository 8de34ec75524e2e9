"""OpenVINO: an .xml file with the graph and a .bin file beside it with its weights."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from discern.errors import ExportError
from discern.exporting.graph import INPUT, OUTPUTS
from discern.exporting.packages import importing

if TYPE_CHECKING:
    import onnx

ROOM = "discern"
"""Under which name our metadata lies in the file."""
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
"""By default OpenVINO takes bfloat16 where the processor has it, even for resizing, which needs numbers of 24 bits."""
_COMMAND = "pip install 'discern[openvino]'"


def save_openvino(model: "onnx.ModelProto", path: Path) -> None:
    """Convert an ONNX model with its metadata, and write it as `path` (.xml) and the .bin file beside it.

    It must be compiled with `PRECISION`, as its metadata says under "compile_with": a hint in the file itself is not
    obeyed by the CPU plugin of OpenVINO 2026.4.

    Raises:
        ExportError: A package is missing.
    """
    with importing("openvino", command=_COMMAND):
        import openvino  # type: ignore[import-untyped]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    converted = openvino.Core().read_model(model.SerializeToString())
    for name, value in metadata.items():
        converted.set_rt_info(value, [ROOM, name])
    converted.set_rt_info(json.dumps(PRECISION), [ROOM, "compile_with"])
    openvino.save_model(converted, path, compress_to_fp16=False)


class OpenVinoFile:
    """An exported file under OpenVINO, on the CPU, in float32."""

    def __init__(self, path: Path, threads: int) -> None:
        with importing("openvino", command=_COMMAND):
            import openvino
        try:
            model = openvino.Core().read_model(path, path.with_suffix(".bin"))
            self._compiled = openvino.Core().compile_model(
                model, "CPU", {**PRECISION, "INFERENCE_NUM_THREADS": threads}
            )
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ExportError(f"{path} and the .bin file beside it cannot be read by OpenVINO: {reason}") from error
        names = list(model.get_rt_info([ROOM]).astype(dict)) if model.has_rt_info([ROOM]) else []
        self.metadata: dict[str, str] = {name: model.get_rt_info([ROOM, name]).astype(str) for name in names}
        number = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.runtime = f"openvino {openvino.__version__.split('-')[0]}, computing in {number}"

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (N, K) of images (N, H, W, 3)."""
        return np.array(self._compiled({INPUT: images})[OUTPUTS[0]])
