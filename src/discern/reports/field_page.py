"""The page of a field check: what holds for new pictures, whether promises are kept, and which answers are wrong."""

from pathlib import Path

import pandas as pd

from discern.evaluation.field_check import MIN_OF_CLASS, FieldCheck
from discern.files import write_atomically
from discern.plots.interval import plot_interval
from discern.reports.pages import render_page
from discern.reports.svg import figure_to_svg
from discern.reports.wording import percent

_MAX_WRONG = 50
_VERDICTS = {"kept": "kept", "broken": "broken", "open": "cannot be said yet"}


def build_field_page(check: FieldCheck, answers: pd.DataFrame) -> str:
    """Return the HTML of a field check; `answers` are the rows of answers.csv."""
    accuracy, promised = check.accuracy, check.promised
    figure = None
    if accuracy is not None:
        figure = figure_to_svg(
            plot_interval(*accuracy, baseline=None if promised is None else promised.value, name="as reported"),
            title="Accuracy on the new pictures, with its interval",
            description=f"{percent(accuracy.value)}, from {percent(accuracy.low)} to {percent(accuracy.high)}",
        )
    in_table = [promise.describe() for promise in check.promises]
    wrong = answers[answers["right"].eq(False)].sort_values("confidence", ascending=False)
    return render_page(
        "field.html.jinja",
        {
            "check": check,
            "sentences": [text for text in check.describe() if text not in in_table],
            "figure": figure,
            "verdicts": _VERDICTS,
            "wrong": wrong.head(_MAX_WRONG).to_dict(orient="records"),
            "num_wrong": len(wrong),
            "unfamiliar": [] if "unfamiliar" not in answers else answers.loc[answers["unfamiliar"], "id"].tolist(),
            "min_of_class": MIN_OF_CLASS,
        },
    )


def write_field_page(check: FieldCheck, answers: pd.DataFrame, page: Path) -> None:
    """Write fieldcheck.html."""
    write_atomically(page, build_field_page(check, answers))
