"""The teacher of a training: an earlier classifier, its answers, and how the new one does beside it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from discern.counts import count_of
from discern.data.cache.array_cache import ArrayCache
from discern.data.class_finder import ClassFinder
from discern.data.table import ImageTable
from discern.errors import ConfigError, RunFolderError, name_some
from discern.evaluation.comparison import Comparison, compare_pairs, pair_predictions
from discern.evaluation.known_pictures import find_known, load_known_pictures
from discern.evaluation.predictions import Predictions, build_table_predictions
from discern.evaluation.seed_comparison import describe_difference
from discern.planning.plan import TeacherPlan
from discern.predictor.bundle import Bundle, fingerprint_bundle, load_bundle
from discern.predictor.predictor import Predictor
from discern.run_folder import RunFolder
from discern.runtime import Runtime

logger = logging.getLogger("discern")


@dataclass(frozen=True, eq=False)
class Teacher:
    """A classifier that others learn from; `outputs` (K,) are its outputs for the classes of those, in their order."""

    root: Path
    predictor: Predictor
    outputs: npt.NDArray[np.int64]

    def plan(self, weight: float) -> TeacherPlan:
        """Return what a plan says of it."""
        return TeacherPlan(root=self.root, checksum=fingerprint_bundle(self.root), weight=weight)

    def answer(self, table: ImageTable) -> npt.NDArray[np.float64]:
        """Return probabilities (N, K) of pictures; those of classes that only the teacher knows are left out."""
        probabilities = self.predictor.predict_probabilities(table)[:, self.outputs]
        totals = probabilities.sum(axis=1, keepdims=True)
        unknown = np.full_like(probabilities, 1 / len(self.outputs))
        answers: npt.NDArray[np.float64] = np.divide(probabilities, totals, out=unknown, where=totals > 0)
        return answers

    def predict(self, table: ImageTable, split: str) -> Predictions:
        """Return its predictions for the pictures of a split."""
        return build_table_predictions(table, self.answer(table), split)


def load_teacher(root: Path, table: ImageTable, runtime: Runtime, cache: ArrayCache) -> Teacher:
    """Return the teacher of a training.

    Args:
        root: A run folder or a bundle.
        table: The pictures of the training, all splits.
        runtime: Of the training.
        cache: For fingerprints of pictures.

    Raises:
        BundleError: There is no classifier, or it cannot be used.
        ConfigError: It does not know all classes, or has learnt from test pictures of this training.
    """
    teacher = _build_teacher(root, table, runtime)
    _check_unseen(root, teacher.predictor.bundle, table, cache)
    return teacher


def reload_teacher(plan: TeacherPlan, table: ImageTable, runtime: Runtime) -> Teacher:
    """Return the teacher of an interrupted run, for which it was checked what it has learnt from.

    Raises:
        RunFolderError: It is another one by now.
        BundleError: It is gone.
    """
    teacher = _build_teacher(plan.root, table, runtime)
    if fingerprint_bundle(plan.root) != plan.checksum:
        raise RunFolderError(
            f"the teacher {plan.root} is not the one that the run was started with; put that back, or start a new run"
        )
    return teacher


def _build_teacher(root: Path, table: ImageTable, runtime: Runtime) -> Teacher:
    bundle = load_bundle(root)
    finder = ClassFinder(bundle.class_names)
    outputs = [finder.find(name) for name in table.class_names]
    missing = [name for name, output in zip(table.class_names, outputs, strict=True) if output is None]
    if missing:
        raise ConfigError(
            f"the teacher {root} does not know {count_of(len(missing), 'class', 'classes')} of the pictures: "
            f"{name_some(missing)}; it knows {name_some(bundle.class_names)}. Name a classifier of the same classes"
        )
    return Teacher(root, Predictor(bundle, runtime), np.array(outputs, dtype=np.int64))


def compare_with_teacher(predictions: Predictions, teacher: Predictions) -> Comparison:
    """Compare a teacher (A) with a classifier that learnt from it (B) on the same pictures, and log the result."""
    comparison = compare_pairs(pair_predictions(teacher, predictions))
    difference = describe_difference("this network", "its teacher", comparison.difference)
    if comparison.is_decided and comparison.difference.value < 0:
        logger.warning("%s: where accuracy counts, it does not replace its teacher", difference)
    else:
        logger.info("%s", difference)
    return comparison


def _advise_split(root: Path) -> str:
    split = RunFolder(root).split
    return f"use its split: data.split_file={split}" if split.is_file() else "take these out, or another teacher"


def _check_unseen(root: Path, bundle: Bundle, table: ImageTable, cache: ArrayCache) -> None:
    """Check that a teacher has not learnt from the test pictures; warn where it has from validation pictures."""
    bank = None if bundle.feature_bank is None else bundle.feature_bank.frame
    known = load_known_pictures(root, bank)
    parts = {name: table.select(name) for name in ("validation", "test")}
    seen, compared = {}, 0
    for name, part in parts.items():
        if len(part):
            seen[name], compared = find_known(part, known, cache, max_pixels=bundle.max_pixels)
    if seen and not compared:
        logger.warning(
            "the pictures that the teacher %s learnt from are not here, so whether test pictures are among them is "
            "not known: if they are, scores on them are too high",
            root,
        )
    in_test = int((seen["test"] != "").sum()) if "test" in seen else 0
    if in_test:
        raise ConfigError(
            f"the teacher {root} learnt from {in_test} of the {count_of(len(parts['test']), 'test picture')}, so that "
            f"scores on them would be too high; {_advise_split(root)}"
        )
    in_validation = int((seen["validation"] == "train").sum()) if "validation" in seen else 0
    if in_validation:
        logger.warning(
            "the teacher learnt from %d of %s: scores on them, and the confidences that are fitted to them, may be a "
            "little too high; judge by the test split",
            in_validation,
            count_of(len(parts["validation"]), "validation picture"),
        )
