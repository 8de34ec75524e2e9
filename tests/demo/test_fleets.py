from dataclasses import asdict
from itertools import combinations, product

import pytest

from discern.demo import DEMO_TYPES, PRETRAINING_TYPES, AircraftType

ALL_TYPES = DEMO_TYPES + PRETRAINING_TYPES


def compute_distance(first: AircraftType, second: AircraftType) -> float:
    """One for each choice that differs, plus the relative differences of the lengths."""
    distance = 0.0
    for key, mine in asdict(first).items():
        other = asdict(second)[key]
        if isinstance(mine, float):
            distance += abs(mine - other) / max(abs(mine), abs(other), 1e-9)
        elif key != "name":
            distance += float(mine != other)
    return distance


def test_there_are_ten_types_in_the_demo_and_forty_for_pretraining() -> None:
    assert len(DEMO_TYPES) == 10
    assert len(PRETRAINING_TYPES) == 40


def test_names_are_unique_and_fit_for_folders() -> None:
    names = [aircraft_type.name for aircraft_type in ALL_TYPES]
    assert len(set(names)) == len(names)
    assert all(name.replace(" ", "").isalnum() for name in names)


def test_no_demo_type_is_close_to_one_of_pretraining() -> None:
    distances = {
        (demo.name, other.name): compute_distance(demo, other) for demo, other in product(DEMO_TYPES, PRETRAINING_TYPES)
    }
    nearest = min(distances, key=lambda pair: distances[pair])
    assert distances[nearest] > 0.3, nearest


def test_types_differ_within_each_fleet() -> None:
    for first, second in [*combinations(DEMO_TYPES, 2), *combinations(PRETRAINING_TYPES, 2)]:
        assert compute_distance(first, second) > 0.15, (first.name, second.name)


@pytest.mark.parametrize("field", ["wing", "tail", "engines", "winglets"])
def test_the_demo_varies(field: str) -> None:
    assert len({getattr(aircraft_type, field) for aircraft_type in DEMO_TYPES}) > 1


def test_the_demo_is_fine_grained() -> None:
    """Several types have a sister that differs in little."""
    sisters = [pair for pair in combinations(DEMO_TYPES, 2) if compute_distance(*pair) < 2.5]
    assert len({aircraft_type for pair in sisters for aircraft_type in pair}) >= 6
