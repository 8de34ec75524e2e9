"""Serves a page to review suspected pictures one by one; the decisions go to RUN/overrides.csv."""

import logging
import secrets
from pathlib import Path

from discern.console import reporting
from discern.counts import count_of
from discern.serving.running import check_packages, open_listener, run_app

logger = logging.getLogger("discern")

_HOST = "127.0.0.1"


def review(
    run: str | Path,
    *,
    audit: str | Path | None = None,
    port: int = 8001,
    token: str | None = None,
    verbose: bool = True,
) -> None:
    """Serve a page for suspected pictures on this machine only, until the process is stopped.

    Args:
        run: A run folder; decisions are appended to its overrides.csv, which `discern train --apply` reads.
        audit: The folder of an audit; by default the run's own audit, followed by the mistakes of its evaluation.
        port: The port of the page; 0 for any free one.
        token: Secret of the page; a new one by default, which is part of the address.
        verbose: Show the address on standard output.

    Raises:
        DiscernError: There is nothing to review, or a file cannot be read.
    """
    check_packages()
    from discern.serving.guard import build_access
    from discern.serving.review import load_review
    from discern.serving.review_app import create_review_app

    folder = Path(run).parent if Path(run).name == "bundle" else Path(run)
    with reporting(verbose=verbose):
        found = load_review(folder, None if audit is None else Path(audit))
        logger.info("%s to review, %d not decided yet", count_of(len(found.candidates), "picture"), found.num_undecided)
        # Other people may have an account on this machine; browsers do not send the part after #.
        token = token or secrets.token_urlsafe(16)
        app = create_review_app(found, build_access(_HOST, (), token))
        with open_listener(_HOST, port) as listener:
            logger.info("open http://%s:%d/#token=%s", _HOST, listener.getsockname()[1], token)
            logger.info("decisions go to %s; end with Ctrl-C", found.decisions.path)
            run_app(app, listener)
