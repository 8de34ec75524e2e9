"""Annotations in the form of COCO, in which competitions ship them: pictures, categories, and which belong together."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeGuard

from discern.errors import DataError, list_some

_PARTS = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
"""The keys that are read of each entry of each part."""


def is_coco(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a JSON value has pictures as COCO lists them, with or without annotations."""
    return isinstance(value, dict) and isinstance(value.get("images"), list)


def read_coco(content: Mapping[str, Any], source: str) -> list[dict[str, object]]:
    """Return a row for each picture: `image`, and `label` where there are annotations; None for a picture without one.

    Raises:
        DataError: Entries lack a key or name what is not there, or pictures have annotations of several categories.
    """
    parts = {part: _read_part(content, part, source) for part in _PARTS}
    images = dict(parts["images"])
    if not parts["annotations"]:
        return [{"image": file} for file in images.values()]
    names = dict(parts["categories"])
    found: dict[object, dict[object, None]] = defaultdict(dict)
    for image, category in parts["annotations"]:
        found[image][category] = None
    used = dict.fromkeys(category for held in found.values() for category in held)
    unknown = [f"image_id {image!r}" for image in found if image not in images]
    unknown += [f"category_id {category!r}" for category in used if category not in names]
    if unknown:
        raise DataError(f"{source}: annotations of what is not listed in the file:\n{list_some(unknown)}")
    several = [image for image in images if len(found.get(image, ())) > 1]
    if several:
        listed = [f"{images[image]}: {', '.join(str(names[one]) for one in found[image])}" for image in several]
        raise DataError(
            f"{source}: {len(several)} of {len(images)} pictures have annotations of several categories:\n"
            f"{list_some(listed)}\nA picture has one class here. Leave these out, or cut their objects out first."
        )
    labels = {image: names[next(iter(held))] for image, held in found.items()}
    return [{"image": file, "label": labels.get(image)} for image, file in images.items()]


def _read_part(content: Mapping[str, Any], part: str, source: str) -> list[tuple[Any, Any]]:
    entries = content.get(part) or []
    keys = _PARTS[part]
    odd = [
        f"{part}[{place}]"
        for place, entry in enumerate(entries if isinstance(entries, list) else [None])
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), int | str) for key in keys)
    ]
    if odd:
        raise DataError(f"{source}: expected entries with {' and '.join(keys)}, as COCO has them:\n{list_some(odd)}")
    return [(entry[keys[0]], entry[keys[1]]) for entry in entries]
