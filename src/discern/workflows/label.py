"""Asks for the labels of pictures that have none, on a page, until what is wished can be promised."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from discern.config.overrides import Overrides, list_overrides
from discern.console import reporting
from discern.counts import count_of
from discern.data.cache.home import build_cache
from discern.data.reading.preflight import save_bad_files
from discern.data.sources.archives import find_archive
from discern.data.sources.inputs import Input, load_inputs, log_ignored
from discern.errors import DataError
from discern.labelling.goal import keep_goal, parse_goal
from discern.labelling.heap import Heap, build_heap, load_label_settings
from discern.labelling.journal import Journal
from discern.labelling.parts import parse_share
from discern.labelling.progress import Progress
from discern.labelling.session import LabellingSession
from discern.ownership import owning
from discern.percent import percent
from discern.run_folder import LABELS, name_source
from discern.runtime import choose_runtime
from discern.serving.running import check_packages, open_listener, run_until_finished
from discern.tuning.shared_folder import DEFINITION, check_shared_folder, going_on_in, open_shared_folder

logger = logging.getLogger("discern")

OTHER = "a labelling with another seed or share"
_GOAL, _BAD_FILES = "goal.txt", "bad_files.csv"
_HOST = "127.0.0.1"


def label(
    source: Sequence[Input] | Input,
    *,
    out: str | Path | None = None,
    classes: Sequence[str] = (),
    goal: str | None = None,
    share: str = "1/1",
    seed: int = 0,
    overrides: Overrides = (),
    port: int = 8003,
    token: str | None = None,
    verbose: bool = True,
) -> Progress:
    """Serve a page that asks for labels, on this machine only, until it is finished; they go to labels.csv in `out`.

    A second call with the same `out` goes on where the first ended.

    Args:
        source: Pictures: files, folders, glob patterns or a table; labels that they have are not used.
        out: The folder to write; labels/NAME by default.
        classes: Names of classes to begin with; others can be added on the page.
        goal: What is to be reached, such as "2% wrong, 80% answered", which is the default; later that of the first
            time.
        share: The part of one of several people who label the same pictures, such as "1/2".
        seed: Of the pictures that are kept apart.
        overrides: Settings that override the defaults, such as the network: `key=value` strings or a mapping.
        port: The port of the page; 0 for any free one.
        token: Secret of the page; a new one by default, which is part of the address.
        verbose: Show the address and the result on standard output.

    Returns:
        How far the labelling is.

    Raises:
        DataError: There are no pictures that can be labelled, or labels.csv is about others.
        ConfigError: The goal or a setting is not understood, or packages for the page are missing.
        WeightsError: There are no pretrained weights on this machine, or they cannot be used.
        RunFolderError: `out` has something else, or another process writes to it.
    """
    check_packages()
    if port:
        open_listener(_HOST, port).close()  # whether it is free is said before minutes of reading, not after
    folder = name_labelling(source) if out is None else Path(out)
    with (
        reporting(verbose=verbose),
        going_on_in(folder),
        opening_labelling(
            source, folder, classes=classes, goal=goal, share=share, seed=seed, overrides=overrides
        ) as session,
    ):
        # Other people may have an account on this machine; browsers do not send the part after #.
        _serve(session, port, token or secrets.token_urlsafe(16))
        session.wait()
        progress = session.describe()
        _log_progress(progress, session.journal_path)
    return progress


@contextmanager
def opening_labelling(
    source: Sequence[Input] | Input,
    folder: Path,
    *,
    classes: Sequence[str] = (),
    goal: str | None = None,
    share: str = "1/1",
    seed: int = 0,
    overrides: Overrides = (),
) -> Iterator[LabellingSession]:
    """Yield the labelling of a folder, new or as it was left; the arguments and errors are those of `label`."""
    asked, part = None if goal is None else parse_goal(goal), parse_share(share)
    settings = load_label_settings(list_overrides(overrides))
    _check_no_archive(source)
    table = load_inputs(source)
    log_ignored(table)
    definition = define_labelling(seed, share)
    check_shared_folder(folder, definition, kind="labelling", other=OTHER)
    with owning(folder, "discern label"):
        journal = Journal(folder / LABELS)
        runtime = choose_runtime(device=settings.run.device, threads=settings.run.threads)
        with runtime.applied():
            cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
            heap = build_heap(table, settings, runtime, cache)
        # Not before: a folder that a failed start leaves would be in the way of another share.
        open_shared_folder(folder, definition, kind="labelling", other=OTHER)
        wanted = keep_goal(folder / _GOAL, asked)
        _report_heap(heap, folder)
        session = LabellingSession(heap, journal, wanted, class_names=classes, seed=seed, share=part)
        try:
            yield session
        finally:
            session.close()
            if not session.journal_path.is_file():
                _forget(folder)


def _forget(folder: Path) -> None:
    """Remove what a labelling without answers has written, so that another goal, seed or share can begin there."""
    for name in (DEFINITION, _GOAL, _BAD_FILES):
        (folder / name).unlink(missing_ok=True)


def define_labelling(seed: int, share: str) -> dict[str, object]:
    """Return what definition.json holds: by what the pictures to keep apart are drawn, and whose part it is."""
    return {"format": "discern-labelling", "seed": seed, "share": share}


def name_labelling(source: Sequence[Input] | Input) -> Path:
    """Return the folder that the labels of pictures go to by default."""
    first = source[0] if isinstance(source, list | tuple) and source else source
    return Path("labels") / (name_source(first) or "data")


def _check_no_archive(source: Sequence[Input] | Input) -> None:
    for place in source if isinstance(source, list | tuple) else [source]:
        if isinstance(place, str | Path) and find_archive(Path(place)) is not None:
            raise DataError(f"{place}: pictures in an archive are no files that labels could name; unpack it")


def _report_heap(heap: Heap, folder: Path) -> None:
    num_files = sum(map(len, heap.files))
    logger.info(
        "%s to label%s",
        count_of(len(heap), "different picture"),
        f", in {num_files} files; those that show the same get the same label" if num_files > len(heap) else "",
    )
    if heap.problems:
        path = folder / _BAD_FILES
        save_bad_files(heap.problems, path)
        logger.warning("left out %s that cannot be read; see %s", count_of(len(heap.problems), "file"), path)


def _serve(session: LabellingSession, port: int, token: str) -> None:
    from discern.serving.guard import build_access
    from discern.serving.label_app import create_label_app

    access = build_access(_HOST, (), token)
    with open_listener(_HOST, port) as listener:
        logger.info("open http://%s:%d/#token=%s", _HOST, listener.getsockname()[1], token)
        logger.info("labels go to %s; the page ends this by its button Finish", session.journal_path)
        run_until_finished(lambda finish: create_label_app(session, access, finish), listener)


def _log_progress(progress: Progress, path: Path) -> None:
    labels = sum(progress.counts.values())
    counts = ", ".join(f"{count} {name}" for name, count in progress.counts.items())
    logger.info("%s: %s", count_of(labels, "label"), counts or "none yet")
    if progress.promise is not None:
        wrong = percent(progress.goal.wrong)
        share = progress.promise.answered
        logger.info(
            "with at most %s wrong, %s of the pictures could be answered (%s to %s), by %d that were drawn at random",
            *(wrong, percent(share.value, 0), percent(share.low, 0), percent(share.high, 0)),
            progress.promise.pictures,
        )
    if progress.goal_reached:
        logger.info("the goal holds with 95 %% confidence: %s", progress.goal.describe())
    if sum(count > 0 for count in progress.counts.values()) > 1:
        logger.info("next: discern train %s", path)
