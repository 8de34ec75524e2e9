import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates import similar_pairs
from discern.data.duplicates.clusters import list_members, number_clusters
from discern.data.duplicates.fingerprints import Fingerprints, compute_fingerprints
from discern.data.duplicates.hash_join import find_close_hashes
from discern.data.duplicates.matching import Duplicates, find_duplicates
from discern.data.duplicates.perceptual_hash import VIEWS
from discern.data.sources.load import load_table
from discern.data.table import ImageTable, build_table


def scene(seed: int, *, size: tuple[int, int] = (200, 160)) -> Image.Image:
    """Something like a photo: coarse shapes, and finer ones upon them."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((size[1], size[0], 3))
    for cells, weight in ((3, 1.0), (8, 0.6), (24, 0.4)):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        picture += weight * np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
    return Image.fromarray((picture / 2).astype(np.uint8))


def save_jpeg(image: Image.Image, quality: int) -> Image.Image:
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=quality)
    return Image.open(stored).convert("RGB")


def crop(image: Image.Image, left: float, top: float, side: float) -> Image.Image:
    width, height = image.size
    box = (left * width, top * height, (left + side) * width, (top + side) * height)
    return image.crop(tuple(map(round, box)))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved anew": lambda image: save_jpeg(image, 30),
    "resized": lambda image: image.resize((100, 80), Image.Resampling.BICUBIC),
    "squeezed": lambda image: image.resize((128, 128), Image.Resampling.BICUBIC),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "mirrored": ImageOps.mirror,
    "cropped at a corner": lambda image: crop(image, 0.0, 0.06, 0.94),
    "cropped around": lambda image: crop(image, 0.04, 0.04, 0.92),
    "mirrored and saved anew": lambda image: save_jpeg(ImageOps.mirror(image), 60),
}


def table_of(folder: Path, images: dict[str, Image.Image]) -> ImageTable:
    for name, image in images.items():
        image.save(folder / name)
    paths = [str(folder / name) for name in images]
    return build_table({"id": list(images), "path": paths, "label": ["a"] * len(images)}, source="here")


def name_pairs(table: ImageTable, found: Duplicates) -> set[tuple[str, str]]:
    names = table.frame["id"].to_numpy()
    return {tuple(sorted(pair)) for pair in names[found.pairs].tolist()}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change: str, tmp_path: Path) -> None:
    images = {f"{seed}.png": scene(seed) for seed in range(20)}
    images["copy.png"] = CHANGES[change](images["7.png"])
    table = table_of(tmp_path, images)
    found = find_duplicates(compute_fingerprints(table))
    assert name_pairs(table, found) == {("7.png", "copy.png")}
    assert not found.is_exact.any()
    assert 0.92 <= found.similarity.item() <= 1
    assert [rows.tolist() for rows in found.list_clusters()] == [[7, 20]]


def test_equal_files_are_exact_and_paired_with_the_first(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"c.png": scene(1), "a.png": scene(2), "b.png": scene(1), "d.png": scene(1)})
    found = find_duplicates(compute_fingerprints(table))
    assert found.pairs.tolist() == [[0, 2], [0, 3]]
    assert found.is_exact.all()
    assert found.similarity.tolist() == [1, 1]
    assert found.clusters.tolist() == [0, -1, 0, 0]


def test_flat_and_tiny_pictures_are_compared_by_content_only(tmp_path: Path) -> None:
    grey = {f"{level}.png": Image.new("RGB", (80, 80), (level, level, level)) for level in (250, 251, 252)}
    tiny = {f"tiny{quality}.png": save_jpeg(scene(0), quality).resize((20, 20)) for quality in (30, 90)}
    noise = np.random.default_rng(0).integers(248, 256, (2, 80, 80, 3), dtype=np.uint8)
    skies = {f"sky{place}.png": Image.fromarray(picture) for place, picture in enumerate(noise)}
    table = table_of(tmp_path, {**grey, "same.png": grey["250.png"], **tiny, **skies})
    found = find_duplicates(compute_fingerprints(table))
    assert name_pairs(table, found) == {("250.png", "same.png")}


def test_same_shape_in_another_colour_and_a_negative_are_other_pictures(tmp_path: Path) -> None:
    colours = ((250, 20, 20), (20, 20, 250))
    shapes = []
    for colour in colours:
        canvas = scene(3).point(lambda value: 235 + value // 16)
        canvas.paste(colour, (40, 30, 160, 140))
        shapes.append(canvas)
    table = table_of(tmp_path, {"red.png": shapes[0], "blue.png": shapes[1]})
    assert not len(find_duplicates(compute_fingerprints(table)).pairs)
    table = table_of(tmp_path, {"positive.png": scene(4), "negative.png": ImageOps.invert(scene(4))})
    assert not len(find_duplicates(compute_fingerprints(table)).pairs)


def test_what_is_found_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    images = {f"{seed}.png": scene(seed) for seed in range(12)}
    images |= {f"copy{place}.png": change(images[f"{place}.png"]) for place, change in enumerate(CHANGES.values())}
    images |= {"equal.png": images["3.png"]}
    table = table_of(tmp_path, images)
    fingerprints = compute_fingerprints(table)
    expected = find_duplicates(fingerprints)
    groups = {frozenset(table.frame["id"][rows]) for rows in expected.list_clusters()}
    assert len(groups) == len(CHANGES)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(table))
        shuffled = table.take(order)
        found = find_duplicates(fingerprints.take(order))
        assert {frozenset(shuffled.frame["id"][rows]) for rows in found.list_clusters()} == groups
        assert sorted(found.similarity) == sorted(expected.similarity)


def test_given_candidates_are_compared_in_wider_views(tmp_path: Path) -> None:
    from discern.data.duplicates.perceptual_hash import View

    table = table_of(tmp_path, {"whole.png": scene(5), "part.png": crop(scene(5), 0.1, 0.15, 0.75)})
    fingerprints = compute_fingerprints(table)
    assert not len(find_duplicates(fingerprints).pairs)
    wider = [View(0.75, 0.1, 0.15)]
    assert len(find_duplicates(fingerprints, candidates=np.array([[0, 1]]), candidate_views=wider).pairs) == 1
    assert len(find_duplicates(fingerprints, candidates=np.array([[1, 0]]), candidate_views=wider).pairs) == 1


def test_close_hashes_are_those_that_comparing_all_finds() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 400, dtype=np.uint64)
    for place in range(0, 200, 2):
        flips = rng.choice(64, place // 20, replace=False).astype(np.uint64)
        hashes[place + 1] = hashes[place] ^ np.bitwise_or.reduce(np.uint64(1) << flips, initial=np.uint64(0))
    different = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    found = {tuple(pair) for pair in find_close_hashes(hashes, hashes, max_bits=9, max_partners=32).tolist()}
    assert {tuple(pair) for pair in np.argwhere(different <= 7).tolist()} <= found
    assert found <= {tuple(pair) for pair in np.argwhere(different <= 9).tolist()}


def test_the_number_of_pairs_is_bounded_for_degenerate_hashes() -> None:
    equal = np.zeros(5000, np.uint64)
    assert len(find_close_hashes(equal, equal, max_bits=9, max_partners=16)) <= 16 * 5000
    none = np.zeros(0, np.uint64)
    assert find_close_hashes(none, equal, max_bits=9, max_partners=16).shape == (0, 2)


def test_thousands_of_equal_pictures_are_one_cluster() -> None:
    images = np.broadcast_to(np.uint8(255), (3000, 8, 8, 3))
    table = load_table((images, ["a", "b", "c"] * 1000))
    found = find_duplicates(compute_fingerprints(table))
    assert len(found.pairs) == 2999
    assert [len(rows) for rows in found.list_clusters()] == [3000]


def test_a_crowd_of_one_photo_is_one_cluster_and_strangers_stay_outside() -> None:
    rng = np.random.default_rng(0)
    photo = np.asarray(scene(0).resize((64, 64)), dtype=np.float32)
    crowd = np.clip(photo * rng.uniform(0.8, 1.1, (400, 1, 1, 1)) + rng.normal(0, 3, (400, 64, 64, 3)), 0, 255)
    others = np.stack([np.asarray(scene(seed).resize((64, 64))) for seed in range(1, 21)])
    images = np.concatenate([crowd.astype(np.uint8), others])
    found = find_duplicates(compute_fingerprints(load_table((images, ["a", "b"] * 210))))
    assert [rows.tolist() for rows in found.list_clusters()] == [list(range(400))]
    assert len(found.pairs) < 40 * 400


def test_a_copy_in_a_crowd_of_other_pictures_is_found() -> None:
    rng = np.random.default_rng(0)
    photos = np.stack([np.asarray(scene(seed).resize((64, 64)), dtype=np.float32) for seed in range(4)])
    blends = np.einsum("nk,khwc->nhwc", rng.dirichlet(np.full(4, 0.5), 600), photos)
    blends[600 - 20 :] = blends[:20] + rng.normal(0, 3, (20, 64, 64, 3))
    images = np.clip(blends, 0, 255).astype(np.uint8)
    found = find_duplicates(compute_fingerprints(load_table((images, ["a", "b"] * 300))))
    assert (found.clusters[:20] == found.clusters[580:]).all()
    assert (found.clusters[:20] >= 0).all()


def test_more_hashes_than_a_bucket_holds_still_find_their_equals() -> None:
    rng = np.random.default_rng(0)
    crowd = rng.integers(0, 2**56, 5000, dtype=np.uint64)  # all share their highest byte
    near = crowd ^ np.uint64(1)
    found = find_close_hashes(crowd, near, max_bits=3, max_partners=4)
    assert {tuple(pair) for pair in found.tolist()} >= {(place, place) for place in range(5000)}


def test_clusters_are_numbered_by_their_first_rows() -> None:
    clusters = number_clusters(np.array([[6, 2], [5, 1], [6, 7]]), 9)
    assert clusters.tolist() == [-1, 0, 1, -1, -1, 0, 1, 1, -1]
    assert [rows.tolist() for rows in list_members(clusters)] == [[1, 5], [2, 6, 7]]
    assert number_clusters(np.zeros((0, 2), np.int64), 2).tolist() == [-1, -1]
    assert number_clusters(np.zeros((0, 2), np.int64), 0).tolist() == []
    assert list_members(np.array([-1, -1])) == []


def test_fingerprints_say_what_a_picture_is_like(tmp_path: Path) -> None:
    tall = scene(0, size=(300, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    tall.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("CMYK", (64, 64)).save(tmp_path / "cmyk.jpg")
    scene(1).save(tmp_path / "moving.gif", save_all=True, append_images=[scene(2)])
    (tmp_path / "half.jpg").write_bytes((tmp_path / "turned.jpg").read_bytes()[:3000])
    (tmp_path / "empty.png").write_bytes(b"")
    names = ["turned.jpg", "cmyk.jpg", "moving.gif", "half.jpg", "empty.png", "missing.jpg"]
    paths = [str(tmp_path / name) for name in names]
    fingerprints = compute_fingerprints(build_table({"id": names, "path": paths}, source="here"))
    records = fingerprints.records
    assert (records["width_pixels"][0], records["height_pixels"][0]) == (200, 300)
    assert records["orientation"][0] == 6
    assert (records["mode"][1], records["format"][1]) == (b"CMYK", b"JPEG")
    assert records["is_animated"].tolist() == [False, False, True, False, False, False]
    assert fingerprints.is_usable.tolist() == [True, True, True, False, False, False]
    assert [Path(problem.path).name for problem in fingerprints.problems] == names[3:]
    assert "truncated" in fingerprints.problems[0].reason
    assert fingerprints.problems[2].reason == "no such file"


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    from PIL import ImageFilter

    sharp = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8))
    pictures = [sharp, ImageEnhance.Contrast(sharp).enhance(0.4), sharp.filter(ImageFilter.GaussianBlur(3))]
    table = load_table((np.stack([np.asarray(picture) for picture in pictures]), ["a", "b", "a"]))
    sharpness = compute_fingerprints(table).records["sharpness"]
    assert sharpness[1] == pytest.approx(sharpness[0], rel=0.05)
    assert sharpness[2] < 0.3 * sharpness[0]


def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ArrayCache(tmp_path / "cache", limit_bytes=10**9)
    (tmp_path / "photos").mkdir()
    table = table_of(tmp_path / "photos", {f"{seed}.png": scene(seed) for seed in range(4)})
    first = compute_fingerprints(table, cache)
    scene(9).save(tmp_path / "photos" / "2.png")
    read: list[str] = []

    def read_file(path: str) -> bytes:
        read.append(Path(path).name)
        return Path(path).read_bytes()

    monkeypatch.setattr("discern.data.duplicates.fingerprints.read_file", read_file)
    order = np.array([3, 2, 1, 0])
    second = compute_fingerprints(table.take(order), cache)
    assert read == ["2.png"]
    expected = compute_fingerprints(table.take(order))
    assert isinstance(second, Fingerprints)
    assert (second.records == expected.records).all()
    assert (second.records["content"] == first.records["content"][order]).tolist() == [True, False, True, True]
    read.clear()
    compute_fingerprints(table, cache)
    assert read == []


def test_blends_that_are_nearly_all_in_vain_are_not_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (6, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)
    blends = np.tensordot(rng.dirichlet(np.ones(6), 600), photos, 1) + rng.normal(0, 12, (600, 32, 32, 1))
    grey = blends.mean(axis=3).clip(0, 255).astype(np.uint8)
    colour = blends.reshape(600, 4, 8, 4, 8, 3).mean(axis=(2, 4)).clip(0, 255).astype(np.uint8)
    compared: list[int] = []
    match = similar_pairs.match_pictures
    monkeypatch.setattr(similar_pairs, "_MIN_IN_VAIN", 100)
    monkeypatch.setattr(similar_pairs, "_PAIRS_AT_ONCE", 100)
    monkeypatch.setattr(similar_pairs, "match_pictures", lambda *of: (compared.append(len(of[1])), match(*of))[1])
    pairs, _ = similar_pairs.find_similar(grey, colour, np.zeros((0, 2), np.int64))
    assert 600 < sum(compared) - len(pairs) < len(VIEWS) * (600 + 100)
