"""Writes a folder of labelled pictures, one folder per type."""

import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from discern.demo.aircraft import AircraftType
from discern.demo.drawing import draw_aircraft
from discern.files import write_atomically


def draw_dataset(
    folder: str | Path, types: Sequence[AircraftType], *, images_per_class: int, size: int, seed: int
) -> None:
    """Write `folder`/<name of the type>/0001.jpg and so on, `size` pixels a side.

    The same seed gives the same bytes, whatever the other types and however many pictures.
    """
    for aircraft_type in types:
        class_folder = Path(folder) / aircraft_type.name
        class_folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, images_per_class + 1):
            picture = draw_aircraft(aircraft_type, build_generator(aircraft_type, number, seed=seed), size=size)
            buffer = io.BytesIO()
            picture.save(buffer, format="JPEG", quality=90)
            write_atomically(class_folder / f"{number:04d}.jpg", buffer.getvalue())


def build_generator(aircraft_type: AircraftType, number: int, *, seed: int) -> np.random.Generator:
    """Return the random generator of one picture of a type."""
    return np.random.default_rng([seed, zlib.crc32(aircraft_type.name.encode()), number])
