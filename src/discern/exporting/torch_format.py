"""torch.export: one .pt2 file that plain torch loads, without discern."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from discern.errors import ExportError, name_some
from discern.exporting.graph import OUTPUTS, ExportGraph, trace_export

_METADATA_FILE = "discern.json"


def save_torch(graph: ExportGraph, metadata: Mapping[str, str], path: Path) -> None:
    """Write a graph as a .pt2 file.

    Raises:
        ExportError: The network cannot be traced.
    """
    program = trace_export(graph)
    # An example would be stored by pickle, which is unsafe to load.
    program.example_inputs = None
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={_METADATA_FILE: json.dumps(dict(metadata), ensure_ascii=False)})
    path.write_bytes(content.getvalue())


class TorchFile:
    """An exported file under torch, on the CPU; `threads` are those of the process."""

    def __init__(self, path: Path, threads: int) -> None:  # noqa: ARG002 - every format is opened alike
        extra = {_METADATA_FILE: ""}
        try:
            _refuse_pickles(path)
            program = torch.export.load(io.BytesIO(path.read_bytes()), extra_files=extra)
            self._graph = program.module()
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(f"{path} cannot be read as a .pt2 file of torch: {error}") from error
        self.metadata: dict[str, str] = json.loads(extra[_METADATA_FILE] or "{}")
        self.runtime = f"torch {torch.__version__}"

    @torch.inference_mode()
    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (N, K) of images (N, H, W, 3)."""
        probabilities: torch.Tensor = self._graph(torch.tensor(images))[OUTPUTS[0]]
        return probabilities.numpy()


def _refuse_pickles(path: Path) -> None:
    """Raise when a .pt2 file holds anything that torch would unpickle, which may run any code."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.endswith((".pt", ".pkl")) and archive.getinfo(name).file_size]
        pickles += [name for name in names if "/custom_obj_" in name]
        for name in names:
            if name.endswith("_config.json"):
                entries = json.loads(archive.read(name)).get("config", {}).values()
                pickles += [entry["path_name"] for entry in entries if entry.get("use_pickle")]
    if pickles:
        raise ExportError(f"{path} holds pickled parts, which are never loaded: {name_some(pickles)}")
