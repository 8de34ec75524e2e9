"""Surfaces in space, made of four-cornered faces whose front looks outwards."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Around an airfoil, from the leading edge over the upper side to the trailing edge and back, as fractions.
_AIRFOIL_CHORD = np.array([0.0, 0.12, 0.5, 1.0, 0.5, 0.12])
_AIRFOIL_THICKNESS = np.array([0.0, 0.38, 0.4, 0.0, -0.4, -0.38])


def loft(rings: Floats) -> Floats:
    """Join successive rings (S, P, 3) by faces ((S - 1) * P, 4, 3).

    Seen along the direction in which the rings follow each other, each runs anticlockwise.
    """
    turned = np.roll(rings, -1, axis=1)
    faces = np.stack([rings[:-1], turned[:-1], turned[1:], rings[1:]], axis=2)
    return faces.reshape(-1, 4, 3)


def revolve(profile: Floats, centre: Floats, *, sectors: int = 12) -> Floats:
    """Turn a profile (S, 2) of distance behind `centre` and radius around the lengthwise axis."""
    angles = np.linspace(0.0, 2 * np.pi, sectors, endpoint=False)
    behind, radius = profile[:, :1], profile[:, 1:]
    rings = np.stack([np.repeat(-behind, sectors, axis=1), radius * np.cos(angles), radius * np.sin(angles)], axis=-1)
    return loft(rings + centre)


def lifting_surface(leading_edge: Floats, chords: Floats, *, thickness: float = 0.12) -> Floats:
    """Lay airfoils behind the points (S, 3) of a leading edge, root first, and close the tip.

    Thickness is a fraction of the chord. The chords run straight back, so the surface may bend upwards but not twist.
    """
    along = np.gradient(leading_edge[:, 1:], axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    upwards = np.stack([np.zeros(len(along)), -along[:, 1], along[:, 0]], axis=1)
    behind = np.zeros((len(chords), len(_AIRFOIL_CHORD), 3))
    behind[:, :, 0] = -chords[:, None] * _AIRFOIL_CHORD
    raised = upwards[:, None, :] * (thickness * chords[:, None] * _AIRFOIL_THICKNESS)[:, :, None]
    rings = leading_edge[:, None, :] + behind + raised
    tip = leading_edge[-1] + behind[-1]
    return loft(np.concatenate([rings, tip[None]]))


def mirror(faces: Floats) -> Floats:
    """Return the same faces on the other side of the aircraft, still looking outwards."""
    mirrored: Floats = faces[:, ::-1] * np.array([1.0, -1.0, 1.0])
    return mirrored


def both_sides(faces: Floats) -> Floats:
    """Return the faces together with their mirror image."""
    return np.concatenate([faces, mirror(faces)])


def compute_normals(faces: Floats) -> Floats:
    """Return unit normals (F, 3) that point outwards; zero for a face without area."""
    normals = np.cross(faces[:, 3] - faces[:, 1], faces[:, 2] - faces[:, 0])
    units: Floats = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return units
