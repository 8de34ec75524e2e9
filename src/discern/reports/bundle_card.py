"""README.md of a bundle: its model card, in the format of the Hugging Face Hub.

It is made from the description in the bundle alone, so that it says no more than that does. The manifest leaves it
out: its author may change it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from discern.environment import Environment, WeightsOrigin
from discern.evaluation.intervals import Interval
from discern.files import write_atomically
from discern.predictor.description import DESCRIPTION_FILE, BundleDescription, check_description, read_description
from discern.reports.model_card import build_card
from discern.reports.run_facts import RunFacts, choose_reported_split
from discern.reports.wording import percent_range

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

CARD_FILE = "README.md"
_LICENCES = {
    "apache-2.0",
    "apple-amlr",
    "apple-ascl",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "gemma",
    "mit",
}
"""Those of published weights for which the Hub has a name; the others are `other`, with their own."""
_TASK = "image-classification"
_ON_THE_HUB = "hf://USER/NAME"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def write_bundle_card(folder: Path, *, address: str = _ON_THE_HUB) -> Path:
    """Write README.md into the folder of a bundle, and return its path; the same bundle has the same card.

    Args:
        folder: The bundle.
        address: From where the example in the card loads it.

    Raises:
        BundleError: The bundle's description cannot be read.
    """
    path = folder / DESCRIPTION_FILE
    description = check_description(read_description(path), path)
    facts = _gather_facts(description, folder)
    title = f"{description.architecture.backbone}, {len(description.class_names)} classes"
    parts = [f"---\n{_build_head(facts, title).to_yaml()}\n---", f"# {_escape(title)}", _describe_loading(address)]
    for entry in build_card(facts):
        parts += [f"## {entry.heading}", *map(_escape, entry.paragraphs)]
    write_atomically(folder / CARD_FILE, "\n\n".join(parts) + "\n")
    return folder / CARD_FILE


def _gather_facts(description: BundleDescription, folder: Path) -> RunFacts:
    """Return what the description says of the run, as the card of a report takes it."""
    record = description.record
    metrics = {} if record is None else record.scores
    counts = {} if record is None else {split: count for split, count in record.counts.items() if count}
    return RunFacts(
        name="",
        root=folder,
        is_complete=True,
        split=choose_reported_split(metrics),
        metrics=metrics,
        without_leaks=None,
        answers=None,
        per_class=None,
        confusion=None,
        history=None,
        split_counts=pd.DataFrame([counts], index=["all classes"]) if counts else None,
        bundle=description,
        environment=Environment() if record is None else record.environment,
        plan=None if record is None else record.plan,
        settings=None,
        audit=None,
        bad_files=0,
        missing={"split_counts": "the bundle has no record of its training"},
    )


def _build_head(facts: RunFacts, title: str) -> "ModelCardData":
    from huggingface_hub import ModelCardData

    results = list(_list_results(facts))
    licence, licence_name = _name_licence(facts.environment.weights)
    return ModelCardData(
        library_name="discern",
        pipeline_tag=_TASK,
        tags=[_TASK, "discern", "pytorch"],
        model_name=title if results else None,
        eval_results=results or None,
        license=licence,
        license_name=licence_name,
    )


def _list_results(facts: RunFacts) -> Iterator["EvalResult"]:
    from huggingface_hub import EvalResult

    if facts.reported is None:
        return
    scores = {"accuracy": ("accuracy", facts.reported.accuracy), "f1": ("macro F1", facts.reported.macro_f1)}
    for kind, (name, score) in scores.items():
        if score is not None:
            yield EvalResult(
                task_type=_TASK,
                dataset_type="images",
                dataset_name="the author's labelled pictures",
                dataset_split=facts.split,
                metric_type=kind,
                metric_value=round(score.value, 6),
                metric_name=f"{name} ({_describe_interval(score)})",
            )


def _describe_interval(score: Interval) -> str:
    """Return an interval in plain characters, which every reader of YAML shows as they are."""
    text = f"95 % interval {percent_range(score.low, score.high)}"
    return text.replace("\u202f", " ")


def _name_licence(weights: WeightsOrigin | None) -> tuple[str | None, str | None]:
    """Return the Hub's name of the licence of the pretrained weights, and of another licence its own name."""
    if weights is None or not weights.licence:
        return None, None
    return (weights.licence, None) if weights.licence in _LICENCES else ("other", weights.licence)


def _describe_loading(address: str) -> str:
    return (
        f'```python\nimport discern  # pip install discern-vision\n\nclassifier = discern.load("{address}")\n'
        'classifier.predict(["photo.jpg"])\n```'
    )


def _escape(text: str) -> str:
    """Return a text that Markdown shows as it is, whatever the names of classes are."""
    return _MARKUP.sub(r"\\\1", text)
