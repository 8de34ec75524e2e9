"""The page of a run: its results, its mistakes, and how it was made."""

from itertools import groupby

from markupsafe import Markup

from discern.evaluation.abstention import Abstention, AbstentionThreshold
from discern.reports.coverage import choose_coverages, compute_coverages
from discern.reports.mistakes import Images, ShownPictures
from discern.reports.model_card import build_card
from discern.reports.notices import build_notices
from discern.reports.pages import render_page
from discern.reports.provenance import build_command, build_settings, find_started_as, list_decisions, list_environment
from discern.reports.run_facts import RunFacts
from discern.reports.run_figures import draw_coverage, draw_curves, draw_headline, draw_reliability
from discern.reports.tables import build_class_rows, build_confusion
from discern.reports.verdict import build_verdict, find_best_epoch

_SCORES = (
    ("accuracy", "Accuracy", True, "share of pictures with the correct answer"),
    ("balanced_accuracy", "Balanced accuracy", True, "mean recall of all classes, so that each class counts the same"),
    ("macro_f1", "Macro F1", False, "mean F1 of all classes, from 0 to 1"),
    ("roc_auc", "ROC AUC", False, "how well the second class is ranked above the first; 0.5 for random answers"),
    ("loss", "Loss", False, "negative log-likelihood of the true class after calibration, in nats; lower is better"),
    ("brier", "Brier score", False, "squared distance between probabilities and truth, from 0 to 2; lower is better"),
    ("ece", "Calibration error", True, "mean difference between confidence and accuracy; lower is better"),
)


def build_run_page(facts: RunFacts, shown: ShownPictures, images: Images) -> str:
    """Return the HTML of a run.

    Args:
        facts: The contents of the run folder; each section says which part is missing, and why.
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
            "headline": None if verdict is None else draw_headline(verdict),
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
            "unfamiliar": _count_unfamiliar(facts),
            "reliability": _draw_reliability(facts),
            "coverage": None if curve is None else draw_coverage(curve),
            "coverages": [] if curve is None else choose_coverages(curve),
            "thresholds": _join_equal(facts.thresholds),
            "settings": build_settings(facts),
            "decisions": list_decisions(facts),
            "environment": list_environment(facts),
            "command": build_command(facts),
            "started_as": find_started_as(facts),
            "card": build_card(facts),
        },
    )


def _join_equal(thresholds: Abstention) -> list[tuple[tuple[float, ...], AbstentionThreshold | None]]:
    """Return the accepted shares of wrong answers that have the same threshold together, each group with it."""
    return [
        (tuple(wanted for wanted, _ in group), point)
        for point, group in groupby(thresholds.items(), key=lambda item: item[1])
    ]


def _count_unfamiliar(facts: RunFacts) -> int | None:
    """Return how many reported pictures are unlike the training pictures, None where it is not known."""
    familiarity = None if facts.answers is None else facts.answers.familiarity
    return None if familiarity is None else int(familiarity.is_unfamiliar.sum())


def _draw_reliability(facts: RunFacts) -> Markup | None:
    if facts.answers is None:
        return None
    error = None if facts.reported is None else facts.reported.ece
    return draw_reliability(facts.answers, None if error is None else error.value)
