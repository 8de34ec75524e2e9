"""Suspected pictures one by one before a person's eyes, and what was decided, in RUN/overrides.csv."""

import logging
import secrets
from pathlib import Path

from discern.data.table import natural_sort
from discern.errors import DataError, DiscernError
from discern.predictor.bundle import load_bundle
from discern.serving.listening import build_access, check_packages, describe_uvicorn, take_address

logger = logging.getLogger("discern")

OVERRIDES = "overrides.csv"
_HOST = "127.0.0.1"


def review(run: str | Path, *, audit: Path | None = None, port: int = 8001) -> None:
    """Ask about suspected pictures on a page for this machine alone, until the process is told to stop.

    Args:
        run: A run folder; decisions are appended to its overrides.csv, which a next training takes by --apply.
        audit: The folder of an audit; by default the run's own, and then its mistakes.
        port: Where the page is.

    Raises:
        DiscernError: There is nothing to decide about, or a file cannot be read.
    """
    check_packages()
    import uvicorn

    from discern.serving.candidates import load_candidates
    from discern.serving.decisions import Decisions
    from discern.serving.review_app import create_review_app

    folder = Path(run).parent if Path(run).name == "bundle" else Path(run)
    candidates = load_candidates(folder, audit)
    if not candidates:
        raise DataError(f"{folder}: nothing is suspected, so there is nothing to review")
    decisions = Decisions(folder / OVERRIDES)
    labels = {candidate.label for candidate in candidates} | {candidate.suggested for candidate in candidates}
    class_names = _find_class_names(folder) or natural_sort(name for name in labels if name)
    undecided = sum(candidate.key not in decisions.find() for candidate in candidates)
    logger.info("%d pictures to review, %d of them not decided yet", len(candidates), undecided)
    # Other people may have an account on this machine; the part behind # is not sent anywhere.
    token = secrets.token_urlsafe(16)
    app = create_review_app(folder.name, candidates, class_names, decisions, build_access(_HOST, (), token))
    with take_address(_HOST, port) as listener:
        logger.info("open http://%s:%d/#token=%s", _HOST, listener.getsockname()[1], token)
        logger.info("decisions go to %s; end with Ctrl-C", decisions.path)
        uvicorn.Server(uvicorn.Config(app, **describe_uvicorn())).run([listener])


def _find_class_names(folder: Path) -> tuple[str, ...]:
    """Return the classes of a run, or none where it has no classifier yet."""
    try:
        return load_bundle(folder).class_names
    except DiscernError:
        return ()
