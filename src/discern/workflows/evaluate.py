"""Evaluates a trained classifier on labelled pictures, in the same way as at the end of training."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from discern.config.load import check_settings
from discern.console import reporting
from discern.counts import count_of
from discern.data.cache.home import build_cache
from discern.data.prepare import WITHOUT_BAD, list_problems, load_labelled
from discern.data.sources.inputs import Input
from discern.data.sources.load import Source
from discern.data.table import ImageTable
from discern.errors import OUT, BadImagesError, ConfigError
from discern.evaluation.abstention import measure_abstention, save_abstention
from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.evaluated_pictures import choose_evaluated_split, join_labels
from discern.evaluation.known_pictures import find_known, load_known_pictures
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.evaluation.predictions import (
    UNSPLIT,
    Predictions,
    build_picture_table,
    build_table_predictions,
    load_predictions,
)
from discern.hub import is_hub_address
from discern.models.custom import Network
from discern.ownership import owning
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.answers_summary import log_familiarity
from discern.predictor.bundle import Bundle, load_bundle
from discern.predictor.description import load_decoding
from discern.predictor.hub_bundle import find_run
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Predictor
from discern.predictor.tta import use_tta
from discern.processes import join_processes
from discern.reports.evaluation_files import write_evaluation, write_ranking, write_scores
from discern.reports.familiarity import compare_familiarity
from discern.reports.known_scores import write_scores_without_known
from discern.run_folder import find_run_around

logger = logging.getLogger("discern")


def evaluate(
    run: str | Path,
    source: Source,
    *,
    out: str | Path,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    label_pattern: str | None = None,
    split_column: str | None = None,
    image_root: str | Path | None = None,
    image_suffix: str | None = None,
    on_bad: str = "error",
    missing_labels: str = "refuse",
    fixes: Sequence[str | Path] = (),
    tta: str | None = None,
    device: str = "auto",
    network: Network | None = None,
    unfamiliar: Sequence[Input] | Input | None = None,
    metrics: Mapping[str, MetricFunction] | None = None,
    ranking: bool = False,
    plots: bool = True,
    verbose: bool = True,
) -> Metrics:
    """Write metrics.json, predictions.csv, per_class.csv, confusion.csv and the plots to the folder `out`.

    Pictures that the run was trained on, or chosen by, are counted and listed in known_pictures.csv, and metrics.json
    has the scores without them beside. predictions.csv says how familiar each picture is, where that is known.
    abstention.json has the results on these pictures of the confidence thresholds for usual error rates.

    Args:
        run: A run folder or a bundle; see `discern.load`.
        source: Labelled pictures in any form that training takes; their classes are joined with the bundle's by name.
        out: The folder to write.
        split: The split to evaluate, if the source has splits: train, validation or test; by default test, otherwise
            validation.
        image_column: CSV column with file names or ids; guessed by default, like the next two.
        label_column: CSV column with labels.
        label_pattern: Regular expression that finds the label in the name of a picture; see the setting of this name.
        split_column: CSV column with train, validation or test; `none` where no column says it.
        image_root: Folder or archive that file names in a CSV are relative to; the folder of the CSV by default.
        image_suffix: Extension to add to ids in a CSV, such as `.jpg`.
        on_bad: What to do about files that cannot be used: "error" stops, "skip" leaves them out.
        fixes: fixes.csv of an audit or overrides.csv of a review to apply.
        missing_labels: What to do about pictures without a label: "refuse" stops, "drop" leaves them out, "keep" takes
            the text nan in a table for a class and stops at others.
        tta: Test-time augmentation: "none", or the mean over the views of "flip" or "five"; by default as trained.
        device: Where to compute; see `discern.load`.
        network: Your own, if the run was trained with one.
        unfamiliar: Pictures of other things, to measure how well they are recognised as unfamiliar; writes
            familiarity.json and its plot.
        metrics: Metric functions by name; each takes targets (N,) and probabilities (N, K) and returns one number.
        ranking: Also write ranking.csv, ROC AUC and average precision of each class against all others.
        plots: Draw figures.
        verbose: Show progress on standard output.

    Raises:
        DataError: There are no pictures to evaluate, pictures without a label, or classes unknown to the classifier.
        ConfigError: An option is not understood, or `out` is the evaluation that training wrote.
        RunFolderError: Another process writes to `out`.
        BadImagesError: Pictures cannot be read and `on_bad` is "error"; all are listed in bad_files.csv.
        BundleError: `unfamiliar` is given, and the bundle has no feature bank.
    """
    folder = Path(out)
    if not is_hub_address(run) and folder.resolve() == (Path(run) / "evaluation").resolve():
        raise ConfigError(f"{folder} has the run's own evaluation; give another ", OUT)
    columns = {"image_column": image_column, "label_column": label_column, "split_column": split_column}
    places = {"image_root": image_root, "image_suffix": image_suffix, "label_pattern": label_pattern}
    treatment = {"on_bad": on_bad, "missing_labels": missing_labels, "fixes": list(map(str, fixes))}
    settings = check_settings({"data": {**columns, **places, **treatment}}).data
    processes = join_processes()
    with reporting(verbose=verbose):  # before the folder, which may lie in what is no run
        run = find_run(run)
        bundle = use_tta(load_bundle(run, network), tta)
    owned = owning(folder, "discern evaluate") if processes.is_main else nullcontext()
    with reporting(verbose=verbose), owned:
        predictor = build_predictor(bundle, device=device, processes=processes)
        settings = settings.model_copy(update={"depth_range": bundle.preprocess.depth_range})
        bad_files = folder / "bad_files.csv" if processes.is_main else None
        with processes.main_first():
            pictures = load_labelled(source, settings, bad_files).table
        name, pictures = choose_evaluated_split(pictures, split)
        pictures = join_labels(pictures, bundle.class_names)
        logger.info("%s%s", count_of(len(pictures), "picture"), "" if name == UNSPLIT else f" of the split {name}")
        with predictor.runtime.applied():
            predictions, similarities = _predict(predictor, pictures, name, bad_files)
            if unfamiliar is not None:
                compare_familiarity(predictor, similarities, unfamiliar, folder)
        if processes.is_main:
            scores = write_evaluation(
                predictions,
                pictures,
                folder,
                folder / "plots",
                plots=plots,
                custom=metrics,
                max_pixels=bundle.max_pixels,
            )[name]
            known = _find_known(run, bundle, pictures, source if isinstance(source, str | Path) else None)
            write_scores_without_known(predictions, known, {name: scores}, folder, metrics)
            save_abstention(measure_abstention(bundle.evidence, predictions), folder / "abstention.json")
            if ranking:
                write_ranking(predictions, folder)
        else:
            scores = compute_metrics(
                predictions.targets, predictions.probabilities, predictions.class_names, custom=metrics
            )
        # A process that ends before all files are written could end the others.
        processes.gather(None)
        return scores


def _predict(
    predictor: Predictor, pictures: ImageTable, split: str, bad_files: Path | None
) -> tuple[Predictions, NDArray[np.float64] | None]:
    """Return the predictions, and similarities (N,) to the training pictures where the bundle can tell them."""
    policy = build_policy(AnswerForm(), predictor.bundle)
    found = predictor.predict_readable(pictures, similarity=policy.knows_familiarity)
    if found.problems:  # what only decoding finds, such as truncated files
        list_problems(found.problems, bad_files)
        raise BadImagesError(found.problems, next_step=WITHOUT_BAD, listed_in=bad_files)
    familiarity = policy.measure_familiarity(found.similarities)
    if familiarity is not None:
        log_familiarity(pictures.frame["id"].tolist(), familiarity)
    return build_table_predictions(pictures, found.probabilities, split, familiarity), found.similarities


def _find_known(run: Path, bundle: Bundle, pictures: ImageTable, data: str | Path | None) -> NDArray[np.object_]:
    """Return for each picture the split of the run that has it; what cannot be compared is said."""
    bank = None if bundle.feature_bank is None else bundle.feature_bank.frame
    known = load_known_pictures(run, bank, data)
    splits, compared = find_known(pictures, known, build_cache(), max_pixels=bundle.max_pixels)
    if compared < len(known) or not compared:
        logger.warning(
            "whether these are pictures that the run was trained on: compared with %d of its %s pictures, the others "
            "are not known or not there any more",
            compared,
            len(known) or "unknown",
        )
    return splits


def evaluate_predictions(
    predictions: str | Path,
    *,
    out: str | Path,
    metrics: Mapping[str, MetricFunction] | None = None,
    ranking: bool = False,
    plots: bool = True,
    verbose: bool = True,
) -> dict[str, Metrics]:
    """Compute the metrics and plots of a predictions.csv again, and return the metrics by split.

    The numbers agree with the first evaluation to the six digits of the file. Misclassified pictures are drawn if they
    can still be read.

    Args:
        predictions: A CSV file with the columns id, true, predicted, confidence and probability_CLASS for each class;
            path and split are optional.
        out: The folder to write.
        metrics: Metric functions by name, as for `evaluate`.
        ranking: Also write ranking.csv of the last split, as `evaluate` does.
        plots: Draw figures.
        verbose: Show progress on standard output.

    Raises:
        DataError: The file cannot be used, for instance because rows have no true class.
        ConfigError: `out` is the folder of the file, which has the first evaluation.
    """
    path, folder = Path(predictions), Path(out)
    if folder.resolve() == path.resolve().parent:
        raise ConfigError(f"{folder} has {path.name} itself and its evaluation; give another ", OUT)
    with reporting(verbose=verbose), owning(folder, "discern evaluate"):
        loaded = load_predictions(path)
        pictures = join_labels(build_picture_table(loaded), loaded.class_names)
        loaded = replace(loaded, frame=loaded.frame.assign(true=pictures.frame["label"]))
        counts = ", ".join(f"{len(loaded.select(name))} {name}" for name in loaded.splits)
        logger.info("%s%s", count_of(len(loaded), "picture"), "" if loaded.splits == (UNSPLIT,) else f": {counts}")
        max_pixels, depth_range = load_decoding(find_run_around(path).root)
        reported = replace(pictures.select(loaded.splits[-1]), depth_range=depth_range)
        found = write_scores(
            loaded, reported, folder, folder / "plots", plots=plots, custom=metrics, max_pixels=max_pixels
        )
        if ranking:
            write_ranking(loaded, folder)
        return found
