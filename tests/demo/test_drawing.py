import numpy as np
import pytest
from PIL import Image

from discern.demo import DEMO_TYPES, PRETRAINING_TYPES, AircraftType, draw_aircraft

ALL_TYPES = DEMO_TYPES + PRETRAINING_TYPES


def draw(aircraft_type: AircraftType, seed: int, *, size: int = 48) -> Image.Image:
    return draw_aircraft(aircraft_type, np.random.default_rng(seed), size=size)


@pytest.mark.parametrize("aircraft_type", ALL_TYPES, ids=lambda aircraft_type: aircraft_type.name)
def test_every_type_can_be_drawn(aircraft_type: AircraftType) -> None:
    for seed in range(4):
        picture = draw(aircraft_type, seed)
        assert (picture.mode, picture.size) == ("RGB", (48, 48))
        assert np.asarray(picture).std() > 1


@pytest.mark.parametrize("size", [16, 33, 96, 160])
def test_pictures_have_the_size_asked_for(size: int) -> None:
    for seed in range(6):
        assert draw(DEMO_TYPES[seed], seed, size=size).size == (size, size)


def test_the_same_seed_draws_the_same_pixels_and_another_seed_others() -> None:
    first, again, other = (np.asarray(draw(DEMO_TYPES[0], seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sisters_differ_in_the_aircraft_only() -> None:
    """Scene and livery come from the generator, so that nothing but the shape gives the type away."""
    first, second = (np.asarray(draw(aircraft_type, 3), dtype=float) for aircraft_type in DEMO_TYPES[1:3])
    difference = np.abs(first - second).max(axis=2)
    assert difference.max() > 10
    assert np.mean(difference > 10) < 0.5


def test_mean_colours_do_not_tell_the_types_apart() -> None:
    """The colour of a picture varies within a type far more than between types."""
    colours = np.array(
        [
            [np.asarray(draw(kind, seed * 10 + place)).mean((0, 1)) for seed in range(30)]
            for place, kind in enumerate(DEMO_TYPES)
        ]
    )
    between = colours.mean(axis=1).var(axis=0)
    within = colours.var(axis=1).mean(axis=0)
    assert np.all(between < 0.25 * within)
