"""Other test-time augmentation than a bundle was made with."""

import logging
from dataclasses import replace
from typing import get_args

from discern.config.sections.training import Tta
from discern.errors import ConfigError
from discern.predictor.bundle import Bundle

logger = logging.getLogger("discern")


def use_tta(bundle: Bundle, asked: str | None) -> Bundle:
    """Return a bundle that answers with the views that are asked for, or the bundle itself if none are.

    Familiarity stays as it was: it always compares the picture itself.

    Raises:
        ConfigError: There is no such augmentation.
    """
    if asked is None or asked == bundle.tta:
        return bundle
    for tta in get_args(Tta):
        if asked == tta:
            _warn_of_promises(bundle, tta)
            return replace(bundle, tta=tta)
    hint = "; auto is for training, which chooses one of these" if asked == "auto" else ""
    raise ConfigError(f"tta is {asked!r}; expected {', '.join(get_args(Tta))}{hint}")


def _warn_of_promises(bundle: Bundle, tta: Tta) -> None:
    if bundle.evidence is not None or not bundle.calibration.is_neutral:
        logger.warning(
            "answers with tta=%s: the calibration of confidences, and what is promised of wrong answers and of sets, "
            "are those of tta=%s, with which the classifier was trained",
            *(tta, bundle.tta),
        )
