"""Projects points in space to pixels, as seen by a photographer."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from discern.demo.geometry import Floats

Setting = Literal["sky", "ground", "above"]
_SETTINGS: tuple[Setting, ...] = get_args(Setting)


@dataclass(frozen=True)
class Shot:
    """One way to photograph an aircraft; angles in degrees.

    The elevation is that of the camera over the aircraft, the fill the longer side of the aircraft over the side of the
    picture, the offset that of its middle from the middle of the picture, both as fractions of the picture.
    """

    setting: Setting
    azimuth: float
    elevation: float
    pitch: float
    roll: float
    distance: float
    fill: float
    offset: tuple[float, float]


def choose_shot(rng: np.random.Generator) -> Shot:
    """Choose a view: from below, level, three-quarter or from above, in flight or on the ground, from either side."""
    setting = _SETTINGS[rng.choice(3, p=[0.62, 0.26, 0.12])]
    elevation = {
        "sky": rng.choice([rng.normal(-4, 6), rng.uniform(-35, -8), rng.uniform(-65, -35)], p=[0.55, 0.35, 0.1]),
        "ground": rng.uniform(1.5, 10),
        "above": rng.uniform(20, 60),
    }[setting]
    in_flight = setting != "ground"
    # Most pictures are taken near the side, where photographers stand.
    side = rng.choice([90.0, 270.0])
    azimuth = rng.normal(side, 20) if rng.random() < 0.88 else rng.uniform(0, 360)
    fill = rng.uniform(0.84, 1.06)
    slack = 0.5 * abs(1 - fill) + 0.04
    return Shot(
        setting=setting,
        azimuth=float(azimuth),
        elevation=float(elevation),
        pitch=float(rng.normal(4, 5)) if in_flight else 0.0,
        roll=float(rng.normal(0, 9)) if in_flight else 0.0,
        distance=float(rng.uniform(2.0, 6.0)),
        fill=float(fill),
        offset=(float(rng.uniform(-slack, slack)), float(rng.uniform(-slack, slack))),
    )


class Camera:
    """Looks at the origin and frames the given points."""

    def __init__(self, shot: Shot, points: Floats, *, canvas: int) -> None:
        """Choose the focal length so that `points` (..., 3), in world metres, fill the wanted part of the canvas."""
        azimuth, elevation = np.radians(shot.azimuth), np.radians(shot.elevation)
        flat = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        self.towards = flat * np.cos(elevation) + np.array([0, 0, np.sin(elevation)])
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        self._axes = np.stack([right, -np.cross(self.towards, right), self.towards])
        self._distance = shot.distance * float(np.ptp(points[..., 0].ravel())) + 8.0
        self._focal, self._middle = 1.0, np.zeros(2)
        seen = self.project(points)[0].reshape(-1, 2)
        low, high = seen.min(axis=0), seen.max(axis=0)
        self._focal = shot.fill * canvas / float((high - low).max())
        self._middle = canvas * (0.5 + np.array(shot.offset)) - self._focal * (low + high) / 2
        self.horizon = float(self._middle[1] - self._focal * np.tan(elevation))

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Return pixels (..., 2), x to the right and y down, and the nearness (...) to the camera in metres."""
        seen = points @ self._axes.T
        nearness = seen[..., 2]
        pixels = seen[..., :2] * (self._focal / np.maximum(self._distance - nearness, 1.0))[..., None] + self._middle
        return pixels, nearness

    def facing(self, points: Floats, normals: Floats) -> Floats:
        """Return the cosine between each normal and the line from its point to the camera."""
        lines = self.towards * self._distance - points
        lines /= np.linalg.norm(lines, axis=1, keepdims=True)
        cosines: Floats = (lines * normals).sum(axis=1)
        return cosines


def attitude(pitch: float, roll: float) -> Floats:
    """Return the rotation (3, 3) of a nose raised by `pitch` and a bank by `roll` degrees."""
    a, b = np.radians(pitch), np.radians(roll)
    raised = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    banked = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    product: Floats = raised @ banked
    return product
