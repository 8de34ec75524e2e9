"""The body of an aircraft as a surface over length and angle, and the windows that lie on it."""

import numpy as np

from discern.demo.aircraft import AircraftType
from discern.demo.geometry import Floats, both_sides, loft

_NOSE_LENGTH = {"pointed": 2.1, "round": 1.35, "blunt": 0.9}
_NOSE_DROOP = {"pointed": 0.3, "round": 0.28, "blunt": 0.12}
_TAIL_LENGTH = 2.9
_WINDOW_PITCH_METRES = 1.05
_LIFT = 1.012


def fuselage_points(kind: AircraftType, along: Floats, angle: Floats) -> Floats:
    """Return the points of the skin at fractions of the length (nose 0, tail 1) and angles (port 0, top pi / 2).

    Lengths are in metres, x to the nose, y to port, z up; the origin is the middle of the body.
    """
    radius = kind.fuselage_diameter / 2
    nose = _NOSE_LENGTH[kind.nose] * kind.fuselage_diameter / kind.fuselage_length
    cone = _TAIL_LENGTH * kind.fuselage_diameter / kind.fuselage_length
    before = np.clip(1 - along / nose, 0, 1)
    behind = np.clip((along - 1 + cone) / cone, 0, 1)
    width = np.sqrt(np.maximum(1 - before**2.1, 0)) * (1 - 0.86 * behind**1.7)
    centre = -_NOSE_DROOP[kind.nose] * before**1.5 + 0.62 * behind**1.7
    upper = np.maximum(np.sin(angle), 0)
    height = width * np.sin(angle) + 0.5 * _hump(kind, along) * upper**1.5
    return np.stack(
        [
            (0.5 - along) * kind.fuselage_length + 0 * angle,
            radius * width * np.cos(angle),
            radius * (centre + height),
        ],
        axis=-1,
    )


def _hump(kind: AircraftType, along: Floats) -> Floats:
    """Return how far the upper deck is raised, 0 to 1."""
    if kind.hump == 0:
        return np.zeros_like(along)
    front = np.clip((along - 0.015) / 0.06, 0, 1)
    back = np.clip((kind.hump - along) / 0.12, 0, 1)
    steps: Floats = front**2 * (3 - 2 * front) * back**2 * (3 - 2 * back)
    return steps


def fuselage_skin(kind: AircraftType, *, stations: int = 44, sectors: int = 26) -> Floats:
    """Return the faces of the body, closer together at both ends."""
    even = np.linspace(0, 1, stations)
    along = even - 0.11 * np.sin(2 * np.pi * even)
    along[0] = 0.0005
    angles = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    return loft(fuselage_points(kind, along[:, None], angles[None, :]))


def cabin_windows(kind: AircraftType) -> Floats:
    """Return the cabin windows of both sides, just above the skin; a second row when there is an upper deck."""
    rows = [_window_row(kind, 0.17, 0.11, 0.80)] if kind.window_rows else []
    if kind.window_rows > 1:
        rows.append(_window_row(kind, 0.95 if kind.hump else 0.62, 0.12, kind.hump - 0.1 if kind.hump else 0.74))
    return np.concatenate(rows) if rows else np.empty((0, 4, 3))


def _window_row(kind: AircraftType, angle: float, first: float, last: float) -> Floats:
    first = max(first, _NOSE_LENGTH[kind.nose] * 1.05 * kind.fuselage_diameter / kind.fuselage_length)
    count = max(int((last - first) * kind.fuselage_length / _WINDOW_PITCH_METRES), 1)
    middles = np.linspace(first, last, count)
    half_width = 0.26 / kind.fuselage_length
    half_angle = 0.34 / kind.fuselage_diameter
    return _panes(kind, middles - half_width, middles + half_width, angle - half_angle, angle + half_angle)


def cockpit_windows(kind: AircraftType) -> Floats:
    """Return the panes in front of the pilots."""
    nose = _NOSE_LENGTH[kind.nose] * kind.fuselage_diameter / kind.fuselage_length
    raised = 0.12 if kind.hump else 0.0
    panes = [(0.20, 0.40, 1.12, 1.5), (0.25, 0.47, 0.78, 1.08), (0.34, 0.60, 0.5, 0.74)]
    return np.concatenate(
        [
            _panes(kind, np.array([front * nose]), np.array([back * nose]), low + raised, high + raised)
            for front, back, low, high in panes
        ]
    )


def _panes(kind: AircraftType, front: Floats, back: Floats, low: float, high: float) -> Floats:
    """Return rectangles on the skin, to port and to starboard."""
    along = np.stack([front, front, back, back], axis=1)
    lower_upper = np.array([low, high, high, low])
    port = fuselage_points(kind, along, np.broadcast_to(lower_upper, along.shape))
    port[..., 1:] *= _LIFT
    return both_sides(port)
