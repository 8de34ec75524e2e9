"""The page of a run: what came of it, what it gets wrong, and how it was made."""

from discern.reports.charts import draw_interval
from discern.reports.figures import choose_coverages, compute_coverages, draw_coverage, draw_curves, draw_reliability
from discern.reports.mistakes import Images, ShownPictures
from discern.reports.model_card import build_card
from discern.reports.notices import build_notices
from discern.reports.pages import render_page
from discern.reports.provenance import build_command, build_settings, find_started_as, list_choices, list_environment
from discern.reports.run_facts import RunFacts
from discern.reports.tables import build_class_rows, build_confusion
from discern.reports.verdict import Verdict, build_verdict, find_best_epoch
from discern.reports.wording import percent, percent_range

_SCORES = (
    ("accuracy", "Accuracy", True, "share of pictures named correctly"),
    (
        "balanced_accuracy",
        "Balanced accuracy",
        True,
        "the mean of the classes' recalls, so that each class counts alike",
    ),
    ("macro_f1", "Macro F1", False, "the mean of the classes' F1, 0 to 1"),
    ("roc_auc", "ROC AUC", False, "how well the second class is ranked before the first, 0.5 by chance"),
    ("loss", "Loss", False, "negative log-likelihood of the true class, in nats; less is better"),
    ("brier", "Brier score", False, "squared distance of the probabilities from the truth, 0 to 2; less is better"),
    ("ece", "Calibration error", True, "how far confidences are from how often they are right"),
)


def build_run_page(facts: RunFacts, shown: ShownPictures, images: Images) -> str:
    """Return the HTML of a run.

    Args:
        facts: What the run folder says; each section tells what it lacks.
        shown: The answers whose pictures are shown.
        images: Those pictures, as far as they could be read.
    """
    verdict = build_verdict(facts)
    curve = None if facts.answers is None else compute_coverages(facts.answers)
    return render_page(
        "run.html.jinja",
        {
            "facts": facts,
            "missing": facts.missing,
            "verdict": verdict,
            "headline": None if verdict is None else _draw_headline(verdict),
            "scores": [
                row for row in _SCORES if any(getattr(one, row[0]) is not None for one in facts.metrics.values())
            ],
            "notices": build_notices(facts),
            "best": find_best_epoch(facts),
            "curves": draw_curves(facts),
            "shown": shown,
            "images": images,
            "class_rows": build_class_rows(facts),
            "confusion": build_confusion(facts),
            "reliability": None if facts.answers is None else draw_reliability(facts.answers),
            "coverage": None if curve is None else draw_coverage(curve),
            "coverages": [] if curve is None else choose_coverages(curve),
            "settings": build_settings(facts),
            "choices": list_choices(facts),
            "environment": list_environment(facts),
            "command": build_command(facts),
            "started_as": find_started_as(facts),
            "card": build_card(facts),
        },
    )


def _draw_headline(verdict: Verdict) -> str:
    accuracy, chance = verdict.accuracy, verdict.chance
    label = f"Accuracy {percent(accuracy.value)}, 95 % interval {percent_range(accuracy.low, accuracy.high)}"
    if chance is not None:
        label += f"; the share of the largest class is {percent(chance.share)}"
    mark = None if chance is None else chance.share
    return draw_interval(accuracy.value, accuracy.low, accuracy.high, mark=mark, label=label)
