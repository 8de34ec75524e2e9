"""Draws a picture of an aircraft: chooses a scene, paints the faces back to front and takes a photo of it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from discern.demo.aircraft import AircraftType
from discern.demo.airframe import Part, build_airframe
from discern.demo.camera import Camera, Shot, attitude, choose_shot
from discern.demo.geometry import Floats
from discern.demo.livery import paint_airframe
from discern.demo.photo import take_photo
from discern.demo.scene import Weather, choose_weather, paint_background

_OVERSAMPLING = 3
_GLASS_BIAS_METRES = 0.35


def draw_aircraft(aircraft_type: AircraftType, rng: np.random.Generator, *, size: int) -> Image.Image:
    """Draw one RGB picture, `size` pixels a side; view, weather, livery and flaws of the photo come from `rng`."""
    airframe = build_airframe(aircraft_type)
    colours = paint_airframe(aircraft_type, airframe, rng)
    shot, weather = choose_shot(rng), choose_weather(rng)
    shown = np.ones(len(airframe.parts), dtype=bool)
    if shot.setting != "ground" and rng.random() < 0.8:
        shown = airframe.parts != Part.GEAR
    turn = attitude(shot.pitch, shot.roll)
    faces = airframe.faces @ turn.T
    canvas = size * _OVERSAMPLING
    camera = Camera(shot, faces, canvas=canvas)
    picture = paint_background(shot.setting, weather, rng, canvas=canvas, horizon=camera.horizon)
    if shot.setting == "ground":
        _mark_ground(picture, airframe.ground, aircraft_type.fuselage_length, camera, rng)
        picture = _cast_shadow(picture, faces[shown], airframe.ground, camera, weather)
    normals = airframe.normals @ turn.T
    lit = _light(colours, normals, camera, weather, shot)
    _paint_faces(picture, faces[shown], normals[shown], lit[shown], airframe.parts[shown], camera)
    return take_photo(picture.reduce(_OVERSAMPLING), weather.horizon, rng)


def _light(colours: Floats, normals: Floats, camera: Camera, weather: Weather, shot: Shot) -> Floats:
    """Return the colours (F, 3) as the camera sees them: light of sky, ground and sun, and a highlight."""
    upwards = normals[:, 2:]
    bounce = 0.18 if shot.setting == "ground" else 0.3
    ambient = weather.ambient * (0.5 + bounce + (0.5 - bounce) * upwards)
    facing_sun = np.maximum(normals @ weather.sun_direction, 0)[:, None]
    halfway = weather.sun_direction + camera.towards
    halfway /= np.linalg.norm(halfway)
    highlight = np.maximum(normals @ halfway, 0)[:, None] ** 30
    lit: Floats = colours * (ambient + 1.05 * weather.sun * facing_sun) + 0.35 * weather.sun * highlight
    return lit


def _paint_faces(
    picture: Image.Image, faces: Floats, normals: Floats, colours: Floats, parts: NDArray[np.int64], camera: Camera
) -> None:
    """Paint the faces that look at the camera, the farthest first."""
    middles = faces.mean(axis=1)
    swept = parts == Part.PROPELLER
    visible = (camera.facing(middles, normals) > 0) | swept
    pixels, nearness = camera.project(faces[visible])
    depth = nearness.mean(axis=1) + _GLASS_BIAS_METRES * (parts[visible] == Part.GLASS)
    order = np.argsort(depth, kind="stable")
    opacity = np.where(swept[visible], 70, 255)
    fills = np.concatenate([np.clip(colours[visible] * 255, 0, 255), opacity[:, None]], axis=1).astype(int)
    draw = ImageDraw.Draw(picture, "RGBA")
    outlines = pixels[order].reshape(-1, 8).tolist()
    for outline, fill in zip(outlines, fills[order].tolist(), strict=True):
        draw.polygon(outline, fill=tuple(fill))


def _mark_ground(picture: Image.Image, ground: float, length: float, camera: Camera, rng: np.random.Generator) -> None:
    """Paint a yellow line for the nose wheel and, perhaps, white ones beside it."""
    draw = ImageDraw.Draw(picture, "RGBA")
    lines = [(0.0, 0.25, (214, 176, 66, 150))]
    if rng.random() < 0.5:
        lines += [(side * rng.uniform(0.35, 0.9) * length, 0.35, (226, 226, 222, 110)) for side in (-1, 1)]
    for y, half_width, fill in lines:
        ends = [(-1.4 * length, y - half_width), (1.4 * length, y - half_width), (1.4 * length, y + half_width)]
        corners = np.array([(x, across, ground) for x, across in [*ends, (-1.4 * length, y + half_width)]])
        draw.polygon(camera.project(corners)[0].ravel().tolist(), fill=fill)


def _cast_shadow(picture: Image.Image, faces: Floats, ground: float, camera: Camera, weather: Weather) -> Image.Image:
    """Darken the ground in the shadow of the aircraft, cast by the sun or softly from right above."""
    strength = float(np.clip(weather.sun.mean() * 1.1, 0.25, 0.6))
    sun = weather.sun_direction if weather.sun.mean() > 0.3 else np.array([0, 0, 1.0])
    above = faces[..., 2:] - ground
    fallen = faces - above * sun / max(float(sun[2]), 0.35)
    fallen[..., 2] = ground
    pixels, _ = camera.project(fallen)
    mask = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(mask)
    for outline in pixels.reshape(-1, 8).tolist():
        draw.polygon(outline, fill=int(255 * strength))
    mask = mask.filter(ImageFilter.BoxBlur(picture.width / 150))
    return Image.composite(Image.new("RGB", picture.size, (22, 24, 30)), picture, mask)
