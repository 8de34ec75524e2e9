"""How many pictures the classes have, and how exactly a classifier can be evaluated on them."""

from collections.abc import Mapping

from discern.auditing.findings import Balance, Finding, Item, build_finding
from discern.counts import count_of
from discern.data.table import SPLITS, ImageTable
from discern.evaluation.intervals import exact_interval
from discern.percent import percent

SUPPOSED_ACCURACY = 0.9
_FEW_PICTURES = 10
_LARGE_RATIO = 10


def count_classes(table: ImageTable) -> dict[str, int]:
    """Return the number of pictures of each class, in the order of the classes."""
    counts = table.frame["label"].value_counts()
    return {name: int(counts.get(name, 0)) for name in table.class_names}


def count_splits(table: ImageTable) -> dict[str, int]:
    """Return the number of pictures in each of the user's own splits; empty where there are none."""
    counts = table.frame["split"].value_counts()
    return {split: int(counts[split]) for split in SPLITS if split in counts}


def compute_balance(table: ImageTable, fractions: tuple[float, float, float]) -> Balance:
    """Return the smallest and largest class, and how wide the interval of an accuracy of 90 % will be.

    Validation and test are the user's, or else the `fractions` for (train, validation, test) of all pictures. The
    width, 0..1, is that of the 95 % Wilson interval from end to end; 1 where there is no such split.
    """
    counts = count_classes(table)
    smallest, largest = (choose(counts, key=lambda name: counts[name]) for choose in (min, max))
    sizes = _expect_sizes(table, fractions)
    widths = {split: _compute_width(sizes[split]) for split in SPLITS[1:]}
    return {
        "smallest_class": smallest,
        "smallest_count": counts[smallest],
        "largest_class": largest,
        "largest_count": counts[largest],
        "expected_interval_width": widths,
        "explanation": " ".join(_explain(split, sizes[split], widths[split]) for split in SPLITS[1:]),
    }


def find_imbalance(counts: Mapping[str, int]) -> list[Finding]:
    """Return findings for classes with few pictures, and for classes of very different sizes."""
    few = {name: count for name, count in counts.items() if count < _FEW_PICTURES}
    findings = build_finding(
        "few_pictures",
        "warning",
        f"classes with fewer than {_FEW_PICTURES} pictures",
        "Little can be learned about such a class, and its score is uncertain. Add more pictures, or join classes.",
        [_name_class(name, count_of(count, "picture"), 1 / max(1, count)) for name, count in few.items()],
    )
    largest, smallest = max(counts.values(), default=0), max(1, min(counts.values(), default=1))
    if largest >= _LARGE_RATIO * smallest:
        small = {name: count for name, count in counts.items() if largest >= _LARGE_RATIO * max(1, count)}
        findings += build_finding(
            "imbalance",
            "note",
            "classes with a tenth of the largest one's pictures, or less",
            "They will be predicted too seldom. training.balance=sampler or weights helps; look at macro F1.",
            [
                _name_class(name, f"{count_of(count, 'picture')}, the largest has {largest}", largest / max(1, count))
                for name, count in small.items()
            ],
        )
    return findings


def _name_class(name: str, detail: str, score: float) -> Item:
    return Item((), (), (name,), (), detail, score)


def _expect_sizes(table: ImageTable, fractions: tuple[float, float, float]) -> dict[str, int]:
    given = count_splits(table)
    if not given:
        return {split: round(len(table) * share) for split, share in zip(SPLITS, fractions, strict=True)}
    sizes = {split: given.get(split, 0) for split in SPLITS}
    if not sizes["validation"]:
        train, validation, _ = fractions
        sizes["validation"] = round(sizes["train"] * validation / (train + validation))
    return sizes


def _compute_width(count: int) -> float:
    if not count:
        return 1.0
    interval = exact_interval(round(SUPPOSED_ACCURACY * count), count)
    return interval.high - interval.low


def _explain(split: str, count: int, width: float) -> str:
    if not count:
        return f"There is no {split} split."
    return (
        f"With {count_of(count, f'{split} picture')}, an accuracy of {percent(SUPPOSED_ACCURACY, 0)} will have a 95 % "
        f"interval {100 * width:.1f} points wide."
    )
