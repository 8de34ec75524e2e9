"""Which class and which split the place of a picture means, in folders as people have them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from discern.counts import count_of, is_are
from discern.data.sources.walk import Unused
from discern.data.sources.written_table import show_labels_in_names, show_levels
from discern.data.table import natural_sort, parse_split
from discern.errors import DataError, list_some, name_some

EXPECTED = "Expected FOLDER/CLASS/picture.jpg, or FOLDER/train/CLASS/picture.jpg (and the same in val and test)."
_NO_CLASSES = f"pictures, but no class folders. {EXPECTED} Where the labels are in a CSV, give the CSV."

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_Parts = tuple[str, ...]


class Placed(NamedTuple):
    """A picture with what its place means; `depth` is the number of folders between its class folder and it."""

    file: str
    label: str
    split: str | None
    depth: int


class Layout(NamedTuple):
    """The pictures that have a class, those that have none, and lines that say how the folders were understood."""

    placed: list[Placed]
    unused: list[Unused]
    remarks: list[str]


class _SplitWord(NamedTuple):
    """The split that a word in the name of a folder means, and the other words, such as `seg` of seg_train."""

    split: str
    others: tuple[str, ...]


def find_layout(root: str, pictures: Sequence[str]) -> Layout:
    """Find classes and splits for the names of pictures below `root`.

    Classes are the folders of pictures in the root, or in its folders for the splits. A single folder around them all
    is passed through. Each class may have folders for the splits instead; all that lies deeper belongs to its class.

    Raises:
        DataError: There are no classes, splits have two names, or folders can be read in two ways.
    """
    parts = [tuple(name.split("/")) for name in pictures]
    start = _pass_wrappers(parts)
    inner = [one for one in parts if len(one) > start]
    unused = [Unused("/".join(one), "in no class folder") for one in parts if len(one) <= start]
    splits = _find_split_folders(root, inner, start)
    layout = _place_in_splits(root, inner, start, splits) if splits else _place_in_classes(root, inner, start)
    remarks = [f"the folder {'/'.join(inner[0][:start])} holds all classes"] if start and layout.placed else []
    return Layout(layout.placed, unused + layout.unused, remarks + layout.remarks)


def _pass_wrappers(parts: Sequence[_Parts]) -> int:
    """Return how many folders lie around all classes: each is the only one with pictures, and has only folders."""
    start = 0
    while True:
        deeper = [one for one in parts if len(one) > start + 1]
        tops = {one[start] for one in deeper}
        is_wrapper = len(tops) == 1 and not any(map(parse_split, tops)) and all(len(one) > start + 2 for one in deeper)
        if not is_wrapper:
            return start
        start += 1


def _find_split_folders(root: str, parts: Sequence[_Parts], at: int) -> dict[str, str]:
    """Return the split that each folder at this depth means; empty when these folders are classes.

    Folders are splits when all of them have names of splits, or when one means `train` and has folders; or when words
    for splits are in their names, such as seg_train, and the same folders lie in them.
    """
    tops = natural_sort({one[at] for one in parts if len(one) > at + 1})
    named = {name: split for name in tops if (split := parse_split(name)) is not None}
    train_has_folders = any(named.get(one[at]) == "train" for one in parts if len(one) > at + 2)
    if not named or (len(named) < len(tops) and not train_has_folders):
        return _find_splits_by_words(parts, at)
    _check_splits(root, named)
    return named


def _find_splits_by_words(parts: Sequence[_Parts], at: int) -> dict[str, str]:
    """Return the splits of folders such as seg_train and seg_test, whose names differ in that word only.

    There are none unless each means another one, most classes repeat in them, and no other folder holds these.
    """
    named = {name: word for name in natural_sort({one[at] for one in parts}) if (word := _find_word(name))}
    splits = {name: word.split for name, word in named.items()}
    inside = [one for one in parts if one[at] in named and len(one) > at + 2]
    is_one_set = len({word.others for word in named.values()}) == 1 and "train" in splits.values()
    if not is_one_set or len({splits[one[at]] for one in inside}) < len(splits):
        return {}
    place = at + 1 + _count_wrappers(inside, at, splits)
    classes = _find_repeated([one for one in inside if len(one) > place + 1], place, at)
    is_elsewhere = any(set(one[:-1]) & set(classes) for one in parts if one[at] not in named)
    return splits if classes and not is_elsewhere else {}


def _find_word(name: str) -> _SplitWord | None:
    """Return the only split that a name or a word in it means, with the other words."""
    whole = parse_split(name)
    if whole is not None:
        return _SplitWord(whole, ())
    words = [word.casefold() for word in _WORD.findall(name)]
    found = [split for word in words if (split := parse_split(word))]
    return _SplitWord(found[0], tuple(word for word in words if not parse_split(word))) if len(found) == 1 else None


def _find_repeated(parts: Iterable[_Parts], inner: int, outer: int) -> tuple[str, ...]:
    """Return the folders at the depth `inner` that lie in several folders of the depth `outer`, if most of them do."""
    outer_by_inner: dict[str, set[str]] = defaultdict(set)
    for one in parts:
        outer_by_inner[one[inner]].add(one[outer])
    repeated = natural_sort(name for name, folders in outer_by_inner.items() if len(folders) > 1)
    return repeated if len(outer_by_inner) > 1 and 2 * len(repeated) > len(outer_by_inner) else ()


def _check_splits(root: str, named: dict[str, str]) -> None:
    if len(set(named.values())) < len(named):
        names = name_some(list(named))
        raise DataError(f"{root}: two of the folders {names} mean the same split. Keep one of them.")


def _place_in_splits(root: str, parts: Sequence[_Parts], at: int, splits: dict[str, str]) -> Layout:
    inside = [one for one in parts if len(one) > at + 1 and one[at] in splits]
    unused = [Unused("/".join(one), "in no class folder") for one in parts if len(one) == at + 1]
    beside = [one for one in parts if len(one) > at + 1 and one[at] not in splits]
    unused += [Unused("/".join(one), "beside the folders of the splits") for one in beside]
    _check_classes_in_splits(root, inside, at, splits)
    place = at + 1 + _count_wrappers(inside, at, splits)
    for each in (*([one for one in inside if one[at] == name] for name in splits), inside):
        _check_one_reading(root, each, place, inside, at)
    placed, loose = _place(inside, place, lambda one: splits[one[at]])
    understood = [f"the folder {name} is the split {split}" for name, split in splits.items() if not parse_split(name)]
    return Layout(placed, unused + loose, [*understood, *_describe_depth(placed)])


def _check_classes_in_splits(root: str, inside: Sequence[_Parts], at: int, splits: dict[str, str]) -> None:
    with_classes = {one[at] for one in inside if len(one) > at + 2}
    flat = [name for name in splits if name not in with_classes and (splits[name] != "test" or not with_classes)]
    if flat:
        places = name_some([f"{root}/{name}" for name in flat])
        # The pictures of a test split often have no labels.
        labelled = [one for one in inside if splits[one[at]] != "test"] or inside
        place, pictures = _start_at(root, labelled, at)
        way_on = () if with_classes else show_labels_in_names(place, pictures, with_splits=True)
        raise DataError(f"{places}: {_NO_CLASSES}", *way_on)


def _count_wrappers(inside: Sequence[_Parts], at: int, splits: Mapping[str, str]) -> int:
    """Return how many folders lie around the classes of each split, as in train/images/CLASS or train/train/CLASS."""
    count = 0
    while _is_wrapped(inside, at, at + 1 + count, splits):
        count += 1
    return count


def _is_wrapped(inside: Sequence[_Parts], at: int, place: int, splits: Mapping[str, str]) -> bool:
    """Return whether each split has one folder at this depth, with the same name in all or a word for the split.

    It holds folders only; pictures of a test split may lie in it without labels.
    """
    pairs = {(one[at], one[place]) for one in inside if len(one) > place + 1}
    loose = {splits[one[at]] for one in inside if len(one) == place + 2}
    is_shared = len({wrapper for _, wrapper in pairs}) == 1
    is_word = all((word := _find_word(wrapper)) and word.split == splits[top] for top, wrapper in pairs)
    return (
        len({top for top, _ in pairs}) == len(pairs) > 0
        and (is_shared or is_word)
        and loose <= {"test"}
        and any(len(one) > place + 2 for one in inside)
    )


def _place_in_classes(root: str, parts: Sequence[_Parts], at: int) -> Layout:
    if parts and all(len(one) == at + 1 for one in parts):
        raise DataError(f"{root}: {_NO_CLASSES}", *show_labels_in_names(*_start_at(root, parts, at)))
    splits = _find_splits_in_classes(root, parts, at)
    if not splits:
        _check_one_reading(root, parts, at, parts, at)
        placed, unused = _place(parts, at, lambda _: None)
        return Layout(placed, unused, _describe_depth(placed))
    placed, unused = _place(parts, at, lambda one: splits[one[at + 1]])
    placed = [one._replace(depth=one.depth - 1) for one in placed]
    return Layout(placed, unused, ["each class has its own folders for the splits", *_describe_depth(placed)])


def _find_splits_in_classes(root: str, parts: Sequence[_Parts], at: int) -> dict[str, str]:
    """Return the split that each folder inside the classes means; empty where classes have no such folders."""
    inside = [one for one in parts if len(one) > at + 1]
    named = {one[at + 1]: split for one in inside if len(one) > at + 2 and (split := parse_split(one[at + 1]))}
    others = [one for one in inside if len(one) == at + 2 or one[at + 1] not in named]
    if named and others:
        raise DataError(
            f"{root}: some classes have folders called {name_some(list(named))}, but there are pictures beside them:\n"
            f"{list_some(['/'.join(one) for one in others])}\nEither all pictures of all classes lie in such folders, "
            f"which are then their splits, or none; rename or move the others. {EXPECTED}"
        )
    if named:
        _check_splits(root, named)
    return named


def _check_one_reading(root: str, parts: Sequence[_Parts], at: int, all_parts: Sequence[_Parts], start: int) -> None:
    """Refuse folders that hold the same folders again and again, and no pictures: either could be the classes.

    These may lie in a single folder of each, such as a/x/ants and b/y/ants.
    `parts` are those of one split; what is shown as a way on is for all, from the depth `start`.
    """
    inside = [one for one in parts if len(one) > at + 1]
    depth, outers = at + 1, {one[at] for one in inside}
    while inside and all(len(one) > depth + 1 for one in inside):
        repeated = _find_repeated(inside, depth, at)
        if repeated:
            outer, inner = name_some(natural_sort(outers)), name_some(repeated)
            place, pictures = _start_at(root, all_parts, start)
            levels = [(depth - start, inner), (at - start, outer)]
            raise DataError(
                f"{root}: the classes may be {outer}, or the folders that repeat inside them, {inner}. {EXPECTED}\n"
                f"{show_levels(place, pictures, levels, with_splits=start < at)}"
            )
        if len({(one[at], one[depth]) for one in inside}) > len(outers):
            return
        depth += 1


def _start_at(root: str, parts: Iterable[_Parts], start: int) -> tuple[str, list[str]]:
    """Return the folder at this depth, which is the same for all, and the names of the pictures from there."""
    names = [one for one in parts if len(one) > start]
    return "/".join((root, *names[0][:start])), ["/".join(one[start:]) for one in names]


def _place(
    parts: Iterable[_Parts], at: int, find_split: Callable[[_Parts], str | None]
) -> tuple[list[Placed], list[Unused]]:
    """Take the folder at this depth as the class of each picture, and list those that have none."""
    placed: list[Placed] = []
    unused: list[Unused] = []
    for one in parts:
        if len(one) > at + 1:
            placed.append(Placed("/".join(one), one[at], find_split(one), len(one) - at - 2))
        else:
            unused.append(Unused("/".join(one), "in no class folder"))
    return placed, unused


def _describe_depth(placed: Iterable[Placed]) -> list[str]:
    deep = [one for one in placed if one.depth > 0]
    if not deep:
        return []
    return [
        f"{count_of(len(deep), 'picture')} in folders below a class folder {is_are(len(deep))} of that class, such as "
        f"{deep[0].file}: {deep[0].label}"
    ]
