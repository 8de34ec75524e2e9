from pathlib import Path

from PIL import Image

from discern.demo import DEMO_TYPES, draw_dataset

TYPES = DEMO_TYPES[2:5]


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_folder_a_type_and_numbered_pictures(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "new", TYPES, images_per_class=3, size=40, seed=0)
    files = read_all(tmp_path / "new")
    assert set(files) == {f"{kind.name}/{number:04d}.jpg" for kind in TYPES for number in (1, 2, 3)}
    with Image.open(tmp_path / "new" / TYPES[0].name / "0001.jpg") as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (40, 40))


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("first", 4), ("again", 4), ("other", 5)):
        draw_dataset(tmp_path / name, TYPES, images_per_class=2, size=40, seed=seed)
    first, again, other = (read_all(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_a_picture_depends_on_no_other(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "many", TYPES, images_per_class=3, size=40, seed=1)
    draw_dataset(tmp_path / "few", TYPES[1:2], images_per_class=1, size=40, seed=1)
    many, few = read_all(tmp_path / "many"), read_all(tmp_path / "few")
    assert few.items() <= many.items()


def test_all_pictures_of_a_data_set_differ(tmp_path: Path) -> None:
    draw_dataset(tmp_path, TYPES, images_per_class=4, size=40, seed=1)
    files = read_all(tmp_path)
    assert len(set(files.values())) == len(files) == 12
