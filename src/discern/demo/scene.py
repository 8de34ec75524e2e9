"""The world behind an aircraft: skies, weather, the ground from beside it and from above."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from discern.demo.camera import Setting
from discern.demo.geometry import Floats


@dataclass(frozen=True)
class Weather:
    """Colours, 0 to 1, of sky and light; `cover` is the share of the sky under cloud."""

    zenith: Floats
    horizon: Floats
    sun: Floats
    ambient: Floats
    sun_direction: Floats
    cover: float
    cloud: Floats


def _colour(*rgb: int) -> Floats:
    return np.array(rgb) / 255


# zenith, horizon, strength of the sun, of the ambient light, cover from, to, cloud
_WEATHERS = {
    "clear": (
        _colour(46, 105, 190),
        _colour(160, 200, 235),
        _colour(158, 153, 143),
        0.56,
        0.0,
        0.25,
        _colour(245, 247, 250),
    ),
    "cloudy": (
        _colour(70, 120, 185),
        _colour(175, 200, 222),
        _colour(118, 115, 110),
        0.66,
        0.35,
        0.7,
        _colour(232, 235, 240),
    ),
    "overcast": (
        _colour(140, 150, 162),
        _colour(200, 206, 212),
        _colour(45, 45, 47),
        0.84,
        0.5,
        1.0,
        _colour(176, 183, 192),
    ),
    "sunset": (
        _colour(62, 84, 140),
        _colour(250, 176, 110),
        _colour(205, 136, 78),
        0.50,
        0.1,
        0.55,
        _colour(226, 150, 120),
    ),
    "dusk": (_colour(28, 38, 78), _colour(150, 110, 130), _colour(80, 62, 66), 0.46, 0.0, 0.5, _colour(90, 80, 105)),
}
_WEATHER_PROBABILITIES = [0.4, 0.26, 0.14, 0.14, 0.06]


def choose_weather(rng: np.random.Generator) -> Weather:
    """Choose a sky and place the sun."""
    name = list(_WEATHERS)[rng.choice(len(_WEATHERS), p=_WEATHER_PROBABILITIES)]
    zenith, horizon, sun, ambient, min_cover, max_cover, cloud = _WEATHERS[name]
    tint = rng.normal(1, 0.05, 3)
    height = np.radians(rng.uniform(8, 22) if name in ("sunset", "dusk") else rng.uniform(28, 75))
    bearing = rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(bearing) * np.cos(height), np.sin(bearing) * np.cos(height), np.sin(height)])
    return Weather(
        zenith=np.clip(zenith * tint * rng.uniform(0.85, 1.12), 0, 1),
        horizon=np.clip(horizon * tint, 0, 1),
        sun=sun * rng.uniform(0.85, 1.1),
        ambient=ambient * (0.55 + 0.45 * horizon / horizon.mean()),
        sun_direction=direction,
        cover=float(rng.uniform(min_cover, max_cover)),
        cloud=cloud,
    )


def paint_background(
    setting: Setting, weather: Weather, rng: np.random.Generator, *, canvas: int, horizon: float
) -> Image.Image:
    """Paint a square picture of `canvas` pixels a side; the horizon is a row of it, perhaps outside."""
    size = max(canvas // 3, 16)
    if setting == "above":
        pixels = _land_from_above(weather, rng, size)
    else:
        pixels = _sky(weather, rng, size)
        if setting == "ground":
            pixels = _apron(pixels, weather, rng, horizon * size / canvas)
    small = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    return small.resize((canvas, canvas), Image.Resampling.BILINEAR)


def fractal_noise(rng: np.random.Generator, size: int, *, cells: tuple[int, int], octaves: int = 4) -> Floats:
    """Return smooth noise (size, size), 0 to 1, whose largest features are one of `cells` (across, down)."""
    total = np.zeros((size, size))
    for octave in range(octaves):
        shape = (min(cells[1] * 2**octave, size), min(cells[0] * 2**octave, size))
        coarse = Image.fromarray(rng.random(shape, dtype=np.float32))
        total += np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)) * 0.5**octave
    low, high = total.min(), total.max()
    stretched: Floats = (total - low) / max(high - low, 1e-6)
    return stretched


def _sky(weather: Weather, rng: np.random.Generator, size: int) -> Floats:
    top, bottom = rng.uniform(0.0, 0.35), rng.uniform(0.65, 1.0)
    down = np.linspace(top, bottom, size)[:, None, None] * np.ones((1, size, 1))
    pixels = weather.zenith * (1 - down) + weather.horizon * down
    across = int(rng.integers(2, 5))
    noise = fractal_noise(rng, size, cells=(across, across + int(rng.integers(0, 4))), octaves=5)
    sharpness = rng.uniform(1.5, 4.5)
    density = np.clip((noise - (1 - weather.cover)) * sharpness, 0, 1)[..., None] * 0.92
    shadow = 0.86 + 0.14 * fractal_noise(rng, size, cells=(3, 5), octaves=3)[..., None]
    blended: Floats = pixels * (1 - density) + weather.cloud * shadow * density
    return blended


def _apron(pixels: Floats, weather: Weather, rng: np.random.Generator, horizon: float) -> Floats:
    """Cover what is below the horizon with grass and tarmac and put trees or buildings on it."""
    size = len(pixels)
    rows = np.arange(size)[:, None] + 0.5
    light = (weather.ambient + 0.5 * weather.sun).mean()
    below = np.clip(rows - horizon, 0, None)
    texture = 0.9 + 0.2 * fractal_noise(rng, size, cells=(3, 14))[..., None]
    tarmac = np.array([0.55, 0.55, 0.56]) * rng.uniform(0.65, 1.2)
    grass = np.array([0.33, 0.42, 0.2]) * rng.uniform(0.8, 1.25)
    edge = size * rng.uniform(0.01, 0.14)
    ground = np.where((below < edge)[..., None], grass, tarmac) * texture * light
    # What is far away fades into the haze.
    fade = np.exp(-below / (0.25 * size))[..., None] * 0.45
    ground = ground * (1 - fade) + weather.horizon * fade
    skyline = horizon - size * 0.045 * rng.uniform(0.2, 2) * _skyline(rng, size)
    trees = np.array([0.2, 0.27, 0.2]) * light * 0.7 + weather.horizon * 0.3
    pixels = np.where((rows > skyline)[..., None], trees, pixels)
    covered: Floats = np.where((rows > horizon)[..., None], ground, pixels)
    return covered


def _skyline(rng: np.random.Generator, size: int) -> Floats:
    """Return heights (1, size) of tree tops, or of flat roofs."""
    if rng.random() < 0.5:
        return fractal_noise(rng, size, cells=(8, 1), octaves=4)[:1]
    blocks = rng.random(int(rng.integers(4, 12)))
    return np.repeat(blocks, -(-size // len(blocks)))[None, :size]


def _land_from_above(weather: Weather, rng: np.random.Generator, size: int) -> Floats:
    """Return sea, fields or desert, partly under cloud."""
    palettes = [
        [(0.10, 0.26, 0.38), (0.16, 0.36, 0.48)],
        [(0.24, 0.34, 0.17), (0.48, 0.46, 0.28)],
        [(0.62, 0.52, 0.38), (0.48, 0.38, 0.28)],
        [(0.16, 0.26, 0.16), (0.26, 0.36, 0.22)],
    ]
    first, second = np.array(palettes[rng.integers(len(palettes))])
    share = fractal_noise(rng, size, cells=(4, 4), octaves=5)[..., None]
    if rng.random() < 0.4:
        share = 0.4 * share + 0.6 * _fields(rng, size)
    light = weather.ambient + 0.7 * weather.sun
    light = 0.35 * light + 0.65 * light.mean()
    land = (first * share + second * (1 - share)) * light * 1.15
    land = land * 0.82 + weather.horizon * 0.18
    noise = fractal_noise(rng, size, cells=(3, 3), octaves=5)
    density = np.clip((noise - (1 - 0.6 * weather.cover)) * 3, 0, 1)[..., None] * 0.9
    blended: Floats = land * (1 - density) + weather.cloud * density
    return blended


def _fields(rng: np.random.Generator, size: int) -> Floats:
    """Return a turned patchwork (size, size, 1) of values from 0 to 1."""
    values = rng.random((12, 12))
    turn, scale = rng.uniform(0, np.pi), rng.uniform(4, 9) / size
    across, down = np.meshgrid(np.arange(size) * scale, np.arange(size) * scale)
    columns = np.floor(across * np.cos(turn) - down * np.sin(turn)).astype(int) % 12
    rows = np.floor(0.6 * (across * np.sin(turn) + down * np.cos(turn))).astype(int) % 12
    patches: Floats = values[rows, columns][..., None]
    return patches
