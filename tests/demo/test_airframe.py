import numpy as np
import pytest
from scipy.spatial import KDTree

from discern.demo import DEMO_TYPES, PRETRAINING_TYPES, AircraftType
from discern.demo.airframe import Part, build_airframe
from discern.demo.camera import Camera, Shot, attitude
from discern.demo.geometry import compute_normals, lifting_surface, mirror, revolve

ALL_TYPES = DEMO_TYPES + PRETRAINING_TYPES


def test_normals_of_a_turned_surface_point_outwards() -> None:
    profile = np.array([(0.0, 0.0), (0.5, 1.0), (2.0, 1.0), (2.5, 0.0)])
    faces = revolve(profile, np.array([3.0, 2.0, 1.0]))
    outwards = faces.mean(axis=1) - np.array([3.0 - 1.25, 2.0, 1.0])
    assert np.all((compute_normals(faces) * outwards).sum(axis=1) > 0)


def test_normals_of_a_wing_and_of_its_mirror_image_point_outwards() -> None:
    edge = np.stack([np.zeros(4), np.linspace(0, 9, 4), np.zeros(4)], axis=1)
    wing = lifting_surface(edge, np.array([3.0, 2.5, 2.0, 1.5]))
    for faces in (wing, mirror(wing)):
        sides = faces[:-6]
        height = sides.mean(axis=1)[:, 2]
        assert np.all(compute_normals(sides)[:, 2] * height > 0)


@pytest.mark.parametrize("aircraft_type", ALL_TYPES, ids=lambda aircraft_type: aircraft_type.name)
def test_airframes_have_the_measures_of_their_type(aircraft_type: AircraftType) -> None:
    airframe = build_airframe(aircraft_type)
    body = airframe.faces[airframe.parts == Part.FUSELAGE]
    wing = airframe.faces[airframe.parts == Part.WING]
    assert np.ptp(body[..., 0]) == pytest.approx(aircraft_type.fuselage_length, rel=0.01)
    assert np.ptp(body[..., 1]) == pytest.approx(aircraft_type.fuselage_diameter, rel=0.02)
    assert np.ptp(wing[..., 1]) == pytest.approx(aircraft_type.span, rel=0.01)
    assert airframe.faces[..., 2].min() == pytest.approx(airframe.ground, abs=1e-6)
    assert np.isfinite(airframe.faces).all()


@pytest.mark.parametrize("aircraft_type", ALL_TYPES, ids=lambda aircraft_type: aircraft_type.name)
def test_airframes_are_symmetric(aircraft_type: AircraftType) -> None:
    corners = build_airframe(aircraft_type).faces.reshape(-1, 3)
    distances, _ = KDTree(corners).query(corners * np.array([1.0, -1.0, 1.0]))
    assert distances.max() < 1e-6


def test_the_camera_sees_what_is_in_front_and_frames_it() -> None:
    shot = Shot("sky", azimuth=90, elevation=0, pitch=0, roll=0, distance=4, fill=0.8, offset=(0.0, 0.0))
    points = np.array([[10.0, 0, 0], [-10.0, 0, 0], [0, 0, 3.0], [0, 0, -1.0], [0, 2.0, 0]])
    pixels, nearness = Camera(shot, points, canvas=200).project(points)
    assert np.ptp(pixels[:, 0]) == pytest.approx(0.8 * 200)
    assert (pixels[:2, 0].min(), pixels[:2, 0].max()) == pytest.approx((20, 180))
    assert pixels[2, 1] < pixels[3, 1], "up is up"
    assert nearness.argmax() == 4


def test_seen_from_port_the_nose_is_on_the_left() -> None:
    shot = Shot("sky", azimuth=90, elevation=0, pitch=0, roll=0, distance=4, fill=0.8, offset=(0.0, 0.0))
    points = np.array([[10.0, 0, 0], [-10.0, 0, 0]])
    pixels, _ = Camera(shot, points, canvas=100).project(points)
    assert pixels[0, 0] < pixels[1, 0]


def test_attitude_is_a_rotation_that_raises_the_nose() -> None:
    turn = attitude(10, 25)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)
    assert (turn @ np.array([1.0, 0, 0]))[2] > 0
