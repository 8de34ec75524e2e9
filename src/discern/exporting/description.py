"""The metadata inside an exported file, with which it can be used without the run it came from."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from discern.data.reading.decode import DECODE_RULES
from discern.errors import ExportError
from discern.predictor.bundle import Bundle
from discern.version import __version__


class Interface(NamedTuple):
    """What goes into the network of an exported file and what comes out, and where the steps around it are done."""

    input: str
    output: str
    preprocessing: str
    calibration: str


GRAPH = Interface(
    input="images: uint8 (N, H, W, 3), RGB, upright, of any height and width; N pictures of one size",
    output="probabilities: float32 (N, K), calibrated; logits: float32 (N, K), before calibration; K as in class_names",
    preprocessing="inside the graph",
    calibration="inside the graph",
)
PAGE = Interface(
    input="files of pictures; of the graph inside, images: uint8 (N, S, S, 3), RGB, upright, resized to S",
    output=GRAPH.output,
    preprocessing="resizing in the page, normalising inside the graph",
    calibration="inside the graph",
)
WEIGHTS = Interface(
    input="images: float32 (N, 3, S, S), RGB, upright, resized and normalised as preprocessing says",
    output="logits: float32 (N, K), calibrated, whose softmax are the probabilities; K as in class_names",
    preprocessing="before the network",
    calibration="inside the last layer",
)


def describe_export(
    bundle: Bundle, precision: str, weights_sha256: str, interface: Interface = GRAPH
) -> dict[str, str]:
    """Return the metadata of an exported file; values that are no plain text are JSON."""
    record = bundle.record
    weights = None if record is None else record.environment.weights
    content: dict[str, object] = {
        "discern_version": __version__,
        "class_names": list(bundle.class_names),
        "input": interface.input,
        "output": interface.output,
        "precision": precision,
        "preprocessing": {**bundle.preprocess.to_dict(), "where": interface.preprocessing},
        "decode_rules": DECODE_RULES,
        "tta": bundle.tta,
        "calibration": {**bundle.calibration.model_dump(), "where": interface.calibration},
        "abstention": None if record is None else record.model_dump(mode="json", include={"abstention"})["abstention"],
        "weights_sha256": weights_sha256,
        "pretrained_weights": None if weights is None else weights.source,
        "licence_note": None if weights is None else weights.note,
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in content.items()
        if value
    }


def check_origin(metadata: Mapping[str, str], bundle: Bundle, weights_sha256: str, file: str) -> None:
    """Raise when a file is not the export of this classifier.

    Raises:
        ExportError: It has no metadata, other classes, or was made from other weights.
    """
    missing = [name for name in ("class_names", "weights_sha256", "precision") if name not in metadata]
    if missing:
        raise ExportError(f"{file} was not made by discern export: it does not state its {', '.join(missing)}")
    if metadata["class_names"] != json.dumps(list(bundle.class_names), ensure_ascii=False):
        raise ExportError(
            f"{file} has the classes {metadata['class_names']}, the run has {json.dumps(bundle.class_names)}; "
            "give the run that it was exported from"
        )
    if metadata["weights_sha256"] != weights_sha256:
        raise ExportError(f"{file} was exported from other weights than those of this run; export it again")
