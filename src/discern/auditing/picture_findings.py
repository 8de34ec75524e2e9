"""Findings about single pictures: files that cannot be read, and pictures from which little can be learned."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.auditing.findings import Action, Finding, Item, ItemBuilder, Severity, build_finding
from discern.data.duplicates.fingerprints import Fingerprints, Records
from discern.data.duplicates.matching import MIN_CONTRAST
from discern.data.table import ImageTable
from discern.errors import ImageProblem

_SMALL_SIDE_PIXELS = 64
_SMALL_SHARE = 1 / 3
_LARGE_PIXELS = 40_000_000
_LONG_ASPECT = 4.0
_BLURRED_SHARE = 0.3
_BLURRED_SHARPNESS = 0.15
"""Of 200 photos each of flowers5, aircraft_civil and hymenoptera, none is below both as it is. Blurred by 2 pixels
(Gaussian, at 128 for the shorter side) 6, 200 and 195 are, and by 4 pixels 49, 200 and 200; the photos of flowers5 are
so soft as they are that blur hardly shows."""

_DARK_LEVEL = 50.0
_UPRIGHT = 1

Mask = npt.NDArray[np.bool_]


def find_unreadable(table: ImageTable, problems: Iterable[ImageProblem]) -> list[Finding]:
    """Return findings for the files that cannot be used, by what is wrong with them."""
    build = ItemBuilder(table).build
    row_by_name = {path: row for row, path in enumerate(table.list_names())}
    items: dict[str, list[Item]] = {kind: [] for kind in _UNREADABLE}
    for problem in problems:
        row = row_by_name.get(problem.path)
        if row is not None:
            items[_name_problem(problem)].append(build([row], problem.reason, score=1.0, action="drop"))
    return [
        finding
        for kind, (title, explanation) in _UNREADABLE.items()
        for finding in build_finding(kind, "error", title, explanation, items[kind])
    ]


_UNREADABLE = {
    "missing_file": (
        "rows without a file",
        "The table names pictures that are not there. Add them, correct their names, or leave the rows out.",
    ),
    "empty_file": ("files of zero bytes", "They are empty, as after a failed copy. Copy them again or drop them."),
    "truncated": (
        "files that end too early",
        "A part of the picture is missing, as after an interrupted download. Download them again or drop them.",
    ),
    "unreadable": (
        "files that are no readable picture",
        "They are damaged, of an unsupported type, or no pictures at all. Repair, convert or drop them.",
    ),
}


def _name_problem(problem: ImageProblem) -> str:
    if problem.reason == "no such file":
        return "missing_file"
    try:
        is_empty = os.path.getsize(problem.path) == 0  # noqa: PTH202 - the path may be no valid text
    except (OSError, ValueError):
        is_empty = False
    if is_empty:
        return "empty_file"
    return "truncated" if "truncated" in problem.reason or "EOF" in problem.reason else "unreadable"


class _Check(NamedTuple):
    """One kind of finding: which records (N,) have it, and what to say; seriousness grows with `measure`."""

    kind: str
    severity: Severity
    title: str
    explanation: str
    holds: Callable[[Records], Mask]
    describe: Callable[[np.void], str]
    measure: Callable[[np.void], float]
    action: Action = "none"


def find_odd_pictures(table: ImageTable, fingerprints: Fingerprints) -> list[Finding]:
    """Return findings for readable pictures that teach little or that other programs read differently."""
    build = ItemBuilder(table).build
    records, usable = fingerprints.records, fingerprints.is_usable
    if not usable.any():
        return []
    findings = find_wrong_extensions(table, fingerprints)
    for check in _list_checks(records[usable]):
        rows = np.flatnonzero(usable)[check.holds(records[usable])]
        items = [
            build([row], check.describe(records[row]), score=float(check.measure(records[row])), action=check.action)
            for row in rows
        ]
        findings += build_finding(check.kind, check.severity, check.title, check.explanation, items)
    return findings


def find_wrong_extensions(table: ImageTable, fingerprints: Fingerprints) -> list[Finding]:
    """Return the finding for files that hold another format than their name says."""
    build = ItemBuilder(table).build
    formats = Image.registered_extensions()
    items = []
    for row in np.flatnonzero(fingerprints.is_usable):
        path = str(table.frame["path"].iloc[row])
        found, named = fingerprints.records["format"][row].decode(), formats.get(Path(path).suffix.lower())
        if named is not None and found not in (named, "") and {named, found} not in _ALIKE:
            items.append(build([int(row)], f"named {Path(path).suffix}, and it is {found}"))
    return build_finding(
        "wrong_extension",
        "warning",
        "files whose name says another format",
        "They are read by their content here, but other programs may refuse them. Rename them.",
        items,
    )


_ALIKE = ({"JPEG", "MPO"}, {"JPEG", "JPEG2000"})


def _list_checks(records: Records) -> list[_Check]:
    """Return the checks, measured against what is usual among these records where that matters."""
    return [*_list_look_checks(records), *_list_size_checks(records), *_list_header_checks()]


def _list_look_checks(records: Records) -> list[_Check]:
    usual_sharpness = float(np.median(records["sharpness"]))
    return [
        _Check(
            "one_colour",
            "warning",
            "pictures of one colour",
            "They show nothing, and nothing can be learned from them. Drop them.",
            lambda some: _is_flat(some),
            lambda one: f"its grey values differ by {one['contrast']:.1f} of 255 (standard deviation)",
            lambda one: 1 - one["contrast"] / MIN_CONTRAST,
            "drop",
        ),
        _Check(
            "blurred",
            "note",
            "pictures much more blurred than the others",
            "Look at them: what the label is about may not be visible any more.",
            lambda some: (
                (some["sharpness"] < min(_BLURRED_SHARE * usual_sharpness, _BLURRED_SHARPNESS)) & ~_is_flat(some)
            ),
            lambda one: f"sharpness {one['sharpness']:.3f}, where {usual_sharpness:.3f} is usual here",
            lambda one: 1 - one["sharpness"] / usual_sharpness,
        ),
        _Check(
            "dark",
            "note",
            "very dark pictures",
            "Look at them: little may be visible.",
            lambda some: (some["brightness"] + 2 * some["contrast"] < _DARK_LEVEL) & ~_is_flat(some),
            lambda one: f"mean brightness {one['brightness']:.0f} of 255",
            lambda one: 1 - one["brightness"] / 255,
        ),
    ]


def _list_size_checks(records: Records) -> list[_Check]:
    usual_side = float(np.median(_shorter_side(records)))
    usual_aspect = float(np.median(_aspect(records)))
    return [
        _Check(
            "very_small",
            "warning",
            "pictures much smaller than the others",
            "They are enlarged for the network and become blurred, as thumbnails do. Add larger ones.",
            lambda some: _shorter_side(some) < min(_SMALL_SIDE_PIXELS, _SMALL_SHARE * usual_side),
            lambda one: f"{_describe_size(one)}, where {usual_side:.0f} pixels are usual for the shorter side",
            lambda one: 1 - float(_shorter_side(one)) / usual_side,
        ),
        _Check(
            "very_large",
            "note",
            "very large pictures",
            "They take long to decode in every epoch. Smaller copies train as well.",
            lambda some: some["width_pixels"].astype(np.int64) * some["height_pixels"] > _LARGE_PIXELS,
            _describe_size,
            lambda one: float(one["width_pixels"]) * float(one["height_pixels"]) / 1e6,
        ),
        _Check(
            "odd_shape",
            "note",
            "very long or very tall pictures",
            "To become square they are squashed, cropped or padded a lot. Crop them to what matters.",
            lambda some: _aspect(some) > max(_LONG_ASPECT, 2 * usual_aspect),
            _describe_size,
            lambda one: float(_aspect(one)),
        ),
    ]


def _list_header_checks() -> list[_Check]:
    return [
        _Check(
            "animated",
            "note",
            "animated pictures",
            "Only the first frame is used.",
            lambda some: some["is_animated"],
            lambda one: f"animated {one['format'].decode()}",
            lambda _: 0.0,
        ),
        _Check(
            "sixteen_bit",
            "note",
            "pictures of more than 8 bits",
            "They are scaled to 8 bits by their range here; other programs may show them black or white.",
            lambda some: np.isin(some["mode"].astype("S1"), [b"I", b"F"]),
            lambda one: f"mode {one['mode'].decode()}",
            lambda _: 0.0,
        ),
        _Check(
            "cmyk",
            "note",
            "pictures in print colours (CMYK)",
            "They are converted without their colour profile, so colours may be wrong. Convert them to RGB.",
            lambda some: some["mode"] == b"CMYK",
            lambda _: "mode CMYK",
            lambda _: 0.0,
        ),
        _Check(
            "sideways",
            "note",
            "photos stored sideways",
            "They are turned upright here, as their EXIF data say; other programs may not do so.",
            lambda some: some["orientation"] != _UPRIGHT,
            lambda one: f"EXIF orientation {int(one['orientation'])}",
            lambda _: 0.0,
        ),
    ]


def _is_flat(records: Records) -> Mask:
    return np.asarray(records["contrast"] < MIN_CONTRAST)


def _shorter_side(records: Records | np.void) -> npt.NDArray[np.int32]:
    return np.asarray(np.minimum(records["width_pixels"], records["height_pixels"]))


def _aspect(records: Records | np.void) -> npt.NDArray[np.float64]:
    return np.asarray(
        np.maximum(records["width_pixels"], records["height_pixels"]) / np.maximum(_shorter_side(records), 1)
    )


def _describe_size(record: np.void) -> str:
    return f"{int(record['width_pixels'])} x {int(record['height_pixels'])} pixels"
