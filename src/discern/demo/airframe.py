"""Builds a whole aircraft out of faces: body, wing, tail, engines and undercarriage."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from discern.demo.aircraft import AircraftType
from discern.demo.fuselage import cabin_windows, cockpit_windows, fuselage_points, fuselage_skin
from discern.demo.geometry import Floats, both_sides, compute_normals, lifting_surface, loft, revolve


class Part(IntEnum):
    """What a face belongs to, which decides its paint."""

    FUSELAGE = 0
    WING = 1
    WINGLET = 2
    FIN = 3
    NACELLE = 4
    METAL = 5
    DARK = 6
    GLASS = 7
    GEAR = 8
    PROPELLER = 9


@dataclass(frozen=True)
class Airframe:
    """An aircraft as faces (F, 4, 3) in metres, with outward normals (F, 3) and the part (F,) of each.

    `ground` is the height at which its wheels stand.
    """

    faces: Floats
    normals: Floats
    parts: NDArray[np.int64]
    ground: float


@lru_cache(maxsize=64)
def build_airframe(kind: AircraftType) -> Airframe:
    """Build the faces of a type; the same object every time, not to be changed."""
    ground = _ground_height(kind)
    pieces = [
        (Part.FUSELAGE, fuselage_skin(kind)),
        (Part.GLASS, cabin_windows(kind)),
        (Part.GLASS, cockpit_windows(kind)),
        (Part.WING, _wing(kind)),
        (Part.WINGLET, _winglets(kind)),
        *_tail(kind),
        *_engines(kind),
        (Part.GEAR, _gear(kind, ground)),
    ]
    faces = np.concatenate([faces for _, faces in pieces])
    parts = np.concatenate([np.full(len(faces), int(part)) for part, faces in pieces])
    return Airframe(faces, compute_normals(faces), parts, ground)


def _wing_edge(kind: AircraftType, y: Floats) -> tuple[Floats, Floats]:
    """Return leading edge points (S, 3) and chords (S,) at distances `y` from the middle."""
    high = kind.wing == "high"
    radius, half_span = kind.fuselage_diameter / 2, kind.span / 2
    x = (0.5 - kind.wing_station) * kind.fuselage_length - np.tan(np.radians(kind.sweep)) * y
    z = radius * (0.86 if high else -0.62) + np.tan(np.radians(0.5 if high else 5.5)) * y
    chords = kind.root_chord * (1 - (1 - kind.taper) * y / half_span)
    if not high:
        chords = chords + 0.22 * kind.root_chord * np.clip(1 - y / (0.36 * half_span), 0, 1)
    return np.stack([x, y, z], axis=1), chords


def _wing(kind: AircraftType) -> Floats:
    points, chords = _wing_edge(kind, np.linspace(0, 1, 10) * kind.span / 2)
    return both_sides(lifting_surface(points, chords, thickness=0.13))


def _winglets(kind: AircraftType) -> Floats:
    tips, chords = _wing_edge(kind, np.array([kind.span / 2]))
    tip, chord, unit = tips[0], chords[0], 0.085 * kind.span

    def fin(outline: list[tuple[float, float, float, float]]) -> Floats:
        """Each corner: back, outwards and up from the tip in units of the winglet height, chord over tip chord."""
        corners = np.array(outline)
        return both_sides(
            lifting_surface(tip + corners[:, :3] * np.array([-unit, unit, unit]), corners[:, 3] * chord, thickness=0.09)
        )

    blended = fin([(0, 0, 0, 1), (0.2, 0.2, 0.1, 0.86), (0.45, 0.36, 0.42, 0.66), (0.8, 0.46, 1.0, 0.4)])
    if kind.winglets == "blended":
        return blended
    if kind.winglets == "split":
        return np.concatenate([blended, fin([(0.25, 0.1, 0.0, 0.7), (0.5, 0.25, -0.28, 0.5), (0.75, 0.4, -0.6, 0.25)])])
    if kind.winglets == "fence":
        return np.concatenate(
            [fin([(0.1, 0, 0, 0.9), (0.45, 0.03, 0.5, 0.4)]), fin([(0.1, 0, 0, 0.9), (0.4, 0.03, -0.4, 0.4)])]
        )
    if kind.winglets == "raked":
        return fin([(0, 0, 0, 1), (0.5, 0.55, 0.05, 0.7), (1.3, 1.1, 0.12, 0.15)])
    return np.empty((0, 4, 3))


def _tail(kind: AircraftType) -> list[tuple[Part, Floats]]:
    """Return fin and stabiliser, or the two surfaces of a V."""
    straight = kind.engines.startswith("propeller")
    slope = 0.42 if straight else 0.8
    height, radius = kind.fin_height, kind.fuselage_diameter / 2
    chord = 0.85 * height + 0.6 * radius
    start = -kind.fuselage_length / 2 + chord + 0.25 * height
    up = np.linspace(0, 1, 6)
    zero = np.zeros_like(up)
    if kind.tail == "V":
        points = np.stack([start - slope * height * up, 0.9 * height * up, 0.45 * radius + 0.95 * height * up], axis=1)
        return [(Part.FIN, both_sides(lifting_surface(points, chord * (1 - 0.55 * up), thickness=0.1)))]
    fin = np.stack([start - slope * height * up, zero, 0.55 * radius + height * up], axis=1)
    narrowing = 0.38 if kind.tail == "T" else 0.6
    half_span, root = 0.185 * kind.span, (0.44 if kind.tail == "T" else 0.56) * kind.root_chord
    x, z = (fin[-1, 0] - 0.05 * root, fin[-1, 2]) if kind.tail == "T" else (start - 0.5 * chord, 0.62 * radius)
    back = np.tan(np.radians(kind.sweep + 5)) * half_span
    stabiliser = np.stack([x - back * up, half_span * up, z + 0.08 * half_span * up], axis=1)
    return [
        (Part.FIN, lifting_surface(fin, chord * (1 - narrowing * up), thickness=0.1)),
        (Part.WING, both_sides(lifting_surface(stabiliser, root * (1 - 0.6 * up), thickness=0.1))),
    ]


def _engines(kind: AircraftType) -> list[tuple[Part, Floats]]:
    if kind.engines in ("tail2", "tail3"):
        return _tail_engines(kind)
    places = {"2": [0.33], "4": [0.3, 0.58]}[kind.engines[-1]]
    points, _ = _wing_edge(kind, np.array(places) * kind.span / 2)
    diameter = kind.engine_diameter
    pieces: list[tuple[Part, Floats]] = []
    for point in points:
        if kind.engines.startswith("propeller"):
            pieces += _propeller_engine(point + np.array([1.5, 0, -0.1]) * diameter, diameter)
            continue
        centre = point + np.array([1.05, 0, -0.82]) * diameter
        pieces += _jet_engine(centre, diameter)
        pylon = np.stack([centre + np.array([-0.45, 0, 0.35]) * diameter, point + np.array([-0.3, 0, 0.0]) * diameter])
        pieces.append((Part.NACELLE, lifting_surface(pylon, np.array([1.9, 1.3]) * diameter, thickness=0.1)))
    return [(part, both_sides(faces)) for part, faces in pieces]


def _jet_engine(centre: Floats, diameter: float) -> list[tuple[Part, Floats]]:
    """Return intake, lip, cowl and exhaust of an engine whose lip is at `centre`."""
    cowl = [(0.22, 0.0), (0.24, 0.4), (0.03, 0.42), (0.0, 0.46), (0.1, 0.5), (0.55, 0.53), (1.1, 0.46), (1.45, 0.36)]
    exhaust = [(1.46, 0.28), (1.85, 0.16), (2.05, 0.0)]
    profile = np.array([*cowl, *exhaust])
    solid = profile * diameter
    return [
        (Part.DARK, revolve(solid[:3], centre)),
        (Part.METAL, revolve(solid[2:5], centre)),
        (Part.NACELLE, revolve(solid[4:8], centre)),
        (Part.DARK, revolve(solid[7:9], centre)),
        (Part.METAL, revolve(solid[8:], centre)),
    ]


def _propeller_engine(centre: Floats, diameter: float) -> list[tuple[Part, Floats]]:
    """Return a slim nacelle, a spinner at `centre` and the disc that the blades sweep."""
    profile = np.array([(0.0, 0.0), (0.3, 0.24), (0.45, 0.4), (1.4, 0.5), (2.8, 0.42), (3.9, 0.0)]) * diameter
    disc = np.array([(0.28, 0.0), (0.29, 1.75)]) * diameter
    return [
        (Part.METAL, revolve(profile[:3], centre)),
        (Part.NACELLE, revolve(profile[2:], centre)),
        (Part.PROPELLER, revolve(disc, centre, sectors=20)),
    ]


def _tail_engines(kind: AircraftType) -> list[tuple[Part, Floats]]:
    """Return two engines beside the rear body and, for three, one at the root of the fin."""
    diameter, radius, length = kind.engine_diameter, kind.fuselage_diameter / 2, kind.fuselage_length
    side = np.array([-0.235 * length, radius + 0.52 * diameter, 0.42 * radius])
    pieces = [(part, both_sides(faces)) for part, faces in _jet_engine(side, diameter)]
    pylon = np.stack([side * np.array([1, 0.3, 1]), side]) + np.array([-0.5, 0, 0]) * diameter
    pieces.append((Part.NACELLE, both_sides(lifting_surface(pylon, np.array([1.3, 1.1]) * diameter, thickness=0.14))))
    if kind.engines == "tail3":
        skin = fuselage_points(kind, np.array([0.8]), np.array([np.pi / 2]))[0]
        pieces += _jet_engine(skin + np.array([0.5, 0, 0.45]) * diameter, diameter)
    return pieces


def _ground_height(kind: AircraftType) -> float:
    """Return the height of the ground under the wheels, low enough for the engines to clear it."""
    radius = kind.fuselage_diameter / 2
    if kind.wing == "high" or kind.engines.startswith("tail"):
        return -1.45 * radius
    points, _ = _wing_edge(kind, np.array([0.165 * kind.span]))
    under_engine = 1.9 if kind.engines.startswith("propeller") else 1.5
    return min(-1.6 * radius, float(points[0, 2]) - under_engine * kind.engine_diameter)


def _gear(kind: AircraftType, ground: float) -> Floats:
    """Return legs and wheels: one under the nose, two under the wing."""
    radius = kind.fuselage_diameter / 2
    wheel = 0.3 * radius
    main = (0.5 - kind.wing_station) * kind.fuselage_length - 0.8 * kind.root_chord
    nose = (0.5 - 0.1) * kind.fuselage_length
    pieces = [_wheel_and_leg(np.array([nose, 0.0, ground + 0.8 * wheel]), 0.8 * wheel, radius)]
    for y in (-1.1 * radius, 1.1 * radius):
        pieces += [_wheel_and_leg(np.array([x, y, ground + wheel]), wheel, radius) for x in (main, main - 1.9 * wheel)]
    return np.concatenate(pieces)


def _wheel_and_leg(hub: Floats, wheel: float, radius: float) -> Floats:
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    rim = wheel * np.stack([np.cos(angles), np.zeros(8), np.sin(angles)], axis=1)
    sides = [(-0.4, 0.01), (-0.4, 1.0), (0.4, 1.0), (0.4, 0.01)]
    tyre = loft(np.stack([hub + rim * size + np.array([0, side * wheel, 0]) for side, size in sides]))
    post = 0.22 * wheel * np.array([(1, 1, 0), (-1, 1, 0), (-1, -1, 0), (1, -1, 0)])
    top = np.array([hub[0], hub[1], -0.5 * radius])
    return np.concatenate([tyre, loft(np.stack([post + top, post + hub]))])
