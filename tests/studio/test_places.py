"""What a client may name: nothing outside of the folder, hidden, or through a link that leads out."""

import pytest

from discern.serving.refusals import Refusal
from discern.studio.places import Places, is_good_name


@pytest.fixture
def places(root):
    (root / "out").symlink_to(root.parent / "secret")
    (root / "in").symlink_to(root / "photos")
    (root / ".hidden").mkdir()
    return Places(root.resolve())


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("..", "lies outside"),
        ("../secret", "lies outside"),
        ("photos/../../secret", "lies outside"),
        ("/etc/passwd", "lies outside"),
        ("../nowhere", "lies outside"),
        ("out", "lies outside"),
        ("out/red", "lies outside"),
        (".hidden", "is hidden"),
        ("photos/../.hidden", "is hidden"),
        ("nowhere", "is not there"),
        ("a\0b", "is not there"),
        ("x" * 5000, "is not there"),
    ],
)
def test_what_is_not_in_the_folder_is_refused(places, place, reason):
    with pytest.raises(Refusal, match=reason):
        places.find(place)


def test_what_is_in_the_folder_is_found_through_links_too(places, root):
    assert places.find("photos/red") == (root / "photos" / "red").resolve()
    assert places.find("in/red") == (root / "photos" / "red").resolve()
    assert places.name(places.find(".")) == "."


def test_a_name_that_begins_like_an_option_is_no_option(places, root):
    (root / "--out").mkdir()
    assert places.name(places.find("--out")) == "./--out"


@pytest.mark.parametrize("place", ["../new", "/tmp/new", "out/new", ".new", "a/../../b", "", "-x", "a\nb", 'a"b'])
def test_nothing_new_gets_an_odd_name_or_lies_elsewhere(places, place):
    with pytest.raises(Refusal):
        places.find_new(place)


def test_something_new_gets_the_name_that_was_asked_for(places, root):
    assert places.find_new("runs/birds") == root.resolve() / "runs" / "birds"


def test_a_signature_is_of_one_place_and_one_start(places, root):
    picture = "photos/red/0.png"
    assert places.find_signed(places.sign(picture), picture).is_file()
    for other in (Places(places.root).sign(picture), places.sign("photos/red/1.png"), "", "ü"):
        with pytest.raises(Refusal, match="another start"):
            places.find_signed(other, picture)


def test_good_names_are_visible_plain_and_short():
    assert all(map(is_good_name, ["a.png", "Ärger 1.jpg", "日本.zip"]))
    assert not any(map(is_good_name, ["", ".", "..", ".a", "-a", " a", "a/b", "a\\b", "a\tb", "C:", "x" * 300]))
