"""Dropped files: they come whole and under a new name, or not at all."""

import pytest


def begin(client, name="birds"):
    return client.post("/uploads", json={"name": name}).json()["key"]


def send(client, key, place, content=b"x", offset=0):
    return client.post(f"/uploads/{key}/part", params={"place": place, "offset": offset}, content=content)


def finish(client, key):
    return client.post(f"/uploads/{key}/finish").json()


def test_a_folder_appears_when_it_is_whole_and_never_over_another(client, root):
    key = begin(client, "photos")
    assert send(client, key, "ant/1.jpg", b"one").json() == {"is_kept": True}
    assert send(client, key, "ant/Thumbs.db").json() == {"is_kept": False}
    assert not (root / "photos-2").exists()
    assert finish(client, key) == {"place": "photos-2", "files": 1, "left_out": "1 file"}
    assert (root / "photos-2" / "ant" / "1.jpg").read_bytes() == b"one"
    assert (root / "photos" / "red" / "0.png").is_file()


def test_a_large_file_comes_in_parts_and_stands_alone(client, root):
    (root / "birds.tar.gz").write_bytes(b"mine")
    key = begin(client, "birds.tar.gz")
    send(client, key, "birds.tar.gz", b"abc")
    send(client, key, "birds.tar.gz", b"def", offset=3)
    assert finish(client, key)["place"] == "birds-2.tar.gz"
    assert (root / "birds-2.tar.gz").read_bytes() == b"abcdef"
    assert (root / "birds.tar.gz").read_bytes() == b"mine"


def test_a_part_that_is_missing_is_noticed_and_one_that_comes_again_replaces(client, root):
    key = begin(client, "a.zip")
    send(client, key, "a.zip", b"abc")
    assert "a part of 'a.zip' is missing" in send(client, key, "a.zip", b"x", offset=9).text
    send(client, key, "a.zip", b"abd")
    finish(client, key)
    assert (root / "a.zip").read_bytes() == b"abd"


@pytest.mark.parametrize(
    "place",
    ["../evil.png", "/tmp/evil.png", "a/../../evil.png", ".ssh/evil.png", "a\\..\\evil.png", "evil.py", "evil.html"],
)
def test_a_file_with_an_odd_place_or_of_another_type_is_left_out(client, root, place):
    key = begin(client)
    assert send(client, key, place).json() == {"is_kept": False}
    assert "no pictures, tables or archives" in client.post(f"/uploads/{key}/finish").text
    assert not list(root.parent.rglob("evil*"))


@pytest.mark.parametrize("name", ["..", "../x", ".ssh", "a/b", "", "-x"])
def test_an_odd_name_is_refused(client, name):
    assert client.post("/uploads", json={"name": name}).status_code == 422


def test_too_much_is_refused(client, monkeypatch):
    monkeypatch.setattr("discern.studio.uploads._MAX_BYTES", 5)
    key = begin(client)
    send(client, key, "1.png", b"1234")
    assert send(client, key, "2.png", b"12").status_code == 413


def test_a_cancelled_upload_leaves_nothing(client, root):
    key = begin(client)
    send(client, key, "1.png")
    client.post(f"/uploads/{key}/cancel")
    assert not list((root / ".discern-studio").rglob("1.png"))
    assert send(client, key, "1.png").status_code == 404
