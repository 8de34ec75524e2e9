"""Paints an airframe in the colours of an invented airline."""

import colorsys

import numpy as np

from discern.demo.aircraft import AircraftType
from discern.demo.airframe import Airframe, Part
from discern.demo.geometry import Floats

_GREY = np.array([0.76, 0.78, 0.81])
_FIXED = {
    Part.METAL: np.array([0.72, 0.73, 0.75]),
    Part.DARK: np.array([0.13, 0.13, 0.15]),
    Part.GLASS: np.array([0.10, 0.12, 0.17]),
    Part.GEAR: np.array([0.22, 0.22, 0.24]),
    Part.PROPELLER: np.array([0.30, 0.31, 0.33]),
}


def paint_airframe(kind: AircraftType, airframe: Airframe, rng: np.random.Generator) -> Floats:
    """Return a colour (F, 3), 0 to 1, for every face; nothing in it depends on the type."""
    base = _base_colour(rng)
    accent, second = _bright_colour(rng), _bright_colour(rng)
    middles = airframe.faces.mean(axis=1)
    colours = np.tile(base, (len(middles), 1))
    body = airframe.parts == Part.FUSELAGE
    along = 0.5 - middles[body, 0] / kind.fuselage_length
    colours[body] = _paint_body(along, airframe.normals[body], (base, accent, second), rng)
    wing = _GREY * rng.uniform(0.82, 1.1)
    nacelle = [base, accent, wing, second][rng.choice(4, p=[0.5, 0.2, 0.2, 0.1])]
    fin = accent if rng.random() < 0.8 else base
    winglet = [wing, accent, base][rng.choice(3, p=[0.4, 0.35, 0.25])]
    chosen = {Part.WING: wing, Part.NACELLE: nacelle, Part.WINGLET: winglet, Part.FIN: fin}
    for part, colour in (_FIXED | chosen).items():
        colours[airframe.parts == part] = colour
    if rng.random() < 0.35:
        colours = _band_on_fin(airframe, middles, colours, second if rng.random() < 0.5 else base)
    return np.clip(colours, 0, 1)


def _base_colour(rng: np.random.Generator) -> Floats:
    """Return mostly white or light grey, now and then bare metal or a colour all over."""
    chance = rng.random()
    if chance < 0.68:
        white: Floats = rng.uniform(0.9, 1.0) * np.array([1.0, 1.0, rng.uniform(0.94, 1.0)])
        return white
    if chance < 0.82:
        metal: Floats = np.array([0.74, 0.76, 0.79]) * rng.uniform(0.85, 1.1)
        return metal
    return _bright_colour(rng)


def _bright_colour(rng: np.random.Generator) -> Floats:
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.45, 0.95), rng.uniform(0.35, 0.92)))


def _paint_body(
    along: Floats, normals: Floats, palette: tuple[Floats, Floats, Floats], rng: np.random.Generator
) -> Floats:
    """Return colours of the body: a belly, then none or one of three designs.

    Height, -1 to 1, is taken from the normals, because it is then the same all along a row of faces.
    """
    base, accent, second = palette
    height = normals[:, 2] / np.maximum(np.hypot(normals[:, 1], normals[:, 2]), 1e-9)
    colours = np.tile(base, (len(along), 1))
    if rng.random() < 0.55:
        colours[height < rng.uniform(-0.75, -0.3)] = [_GREY, accent, second][rng.choice(3, p=[0.5, 0.3, 0.2])]
    design = rng.choice(["plain", "stripe", "tail", "front"], p=[0.25, 0.3, 0.35, 0.1])
    if design == "stripe":
        low = rng.uniform(-0.35, 0.15)
        colours[(height > low) & (height < low + rng.uniform(0.2, 0.45))] = accent
    elif design == "tail":
        colours[along > rng.uniform(0.62, 0.85) + rng.uniform(-0.12, 0.12) * height] = accent
    elif design == "front":
        colours[along < rng.uniform(0.12, 0.3) + 0.05 * height] = accent
    return colours


def _band_on_fin(airframe: Airframe, middles: Floats, colours: Floats, band: Floats) -> Floats:
    """Return the colours with the upper part of the fin in another one."""
    fin = airframe.parts == Part.FIN
    height = middles[:, 2]
    colours[fin & (height > np.median(height[fin]))] = band
    return colours
