"""A run as a cell of a notebook shows it: its scores, its classes, and where its report is."""

import html

import pandas as pd

from discern.errors import cut
from discern.notebook import build_html_table
from discern.reports.run_facts import RunFacts
from discern.reports.tables import ClassRow, build_class_rows
from discern.reports.wording import decimal, grouped, percent, percent_range
from discern.run_folder import RunFolder

_SHOWN_CLASSES = 12


def build_run_summary(facts: RunFacts) -> str:
    """Return the HTML of a run; parts that are missing are left out."""
    parts = [f"<div><b>Run {html.escape(str(facts.root))}</b>{_describe_network(facts)}</div>"]
    if not facts.is_complete:
        parts.append("<div>The run is not complete.</div>")
    if facts.metrics:
        scores = [{"": split} | metrics.summarize() for split, metrics in facts.metrics.items()]
        parts.append(build_html_table(pd.DataFrame(scores)))
    rows = build_class_rows(facts)
    if rows:
        count = f"{_SHOWN_CLASSES} of {grouped(len(rows))} classes" if len(rows) > _SHOWN_CLASSES else "Classes"
        parts.append(f"<div>{count} on the {facts.split} pictures, the lowest recall first:</div>")
        parts.append(build_html_table(pd.DataFrame(map(_list_class_scores, rows[:_SHOWN_CLASSES]))))
    report = RunFolder(facts.root).report
    if report.is_file():
        parts.append(f"<div>Report: <code>{html.escape(str(report))}</code></div>")
    return "\n".join(parts)


def _describe_network(facts: RunFacts) -> str:
    if facts.plan is None:
        return ""
    plan = facts.plan
    return html.escape(f": {plan.architecture.backbone} at {plan.preprocess.image_size} px, recipe {plan.recipe}")


def _list_class_scores(row: ClassRow) -> dict[str, str]:
    low, high = row.recall_low, row.recall_high
    return {
        "class": cut(row.name, 40),
        "pictures": grouped(row.pictures),
        "recall": percent(row.recall),
        "95 % interval": "" if low is None or high is None else percent_range(low, high),
        "precision": percent(row.precision),
        "F1": decimal(row.f1),
        "most often mistaken for": cut(row.mistaken_for, 40),
    }
