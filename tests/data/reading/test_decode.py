import io
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFile, features

from data_pictures import draw
from discern.data.reading.decode import DECODE_RULES, decode_image, read_header
from discern.data.reading.image_source import ImageSource
from discern.data.reading.preprocess import Fit, Preprocess
from discern.data.reading.supported_types import supported_extensions
from discern.errors import BadImageError, DataError


def encode(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def pixels_of(source: ImageSource) -> npt.NDArray[np.int64]:
    image = decode_image(source)
    assert image.mode == "RGB"
    return np.asarray(image).astype(np.int64)


LOSSLESS = ["PNG", "BMP", "TIFF", "PPM"]
LOSSY = ["JPEG", "WEBP", "GIF"] + (["AVIF"] if features.check("avif") else [])


@pytest.mark.parametrize("format_name", LOSSLESS)
def test_lossless_formats_are_exact(format_name: str) -> None:
    image = draw(1)
    assert np.array_equal(pixels_of(encode(image, format_name)), np.asarray(image))


@pytest.mark.parametrize("format_name", LOSSY)
def test_lossy_formats_are_close(format_name: str) -> None:
    image = draw(1)
    assert np.abs(pixels_of(encode(image, format_name)) - np.asarray(image)).mean() < 8


def test_extensions_cover_the_formats() -> None:
    wanted = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    assert wanted <= set(supported_extensions())
    assert (".avif" in supported_extensions()) == features.check("avif")
    assert ".txt" not in supported_extensions()
    assert ".pdf" not in supported_extensions()


def test_every_kind_of_source_gives_the_same_picture(tmp_path: Path) -> None:
    image = draw(2)
    path = tmp_path / "a.png"
    image.save(path)
    with path.open("rb") as file:
        sources: list[ImageSource] = [path, str(path), path.read_bytes(), file, image, np.asarray(image)]
        assert all(np.array_equal(pixels_of(source), np.asarray(image)) for source in sources)


@pytest.mark.parametrize("scene", ["Landscape", "Portrait"])
def test_real_photos_in_all_orientations_come_out_the_same(shared_data: Path, scene: str) -> None:
    upright = pixels_of(shared_data / "exif_orientation" / f"{scene}_1.jpg")
    for orientation in range(9):
        turned = pixels_of(shared_data / "exif_orientation" / f"{scene}_{orientation}.jpg")
        assert turned.shape == upright.shape
        assert np.abs(turned - upright).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_orientation_in_every_format(orientation: int, format_name: str) -> None:
    image = Image.new("RGB", (40, 24), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 20, 12))
    turns = {
        1: lambda pixels: pixels,
        2: np.fliplr,
        3: lambda pixels: np.rot90(pixels, 2),
        4: np.flipud,
        5: lambda pixels: pixels.swapaxes(0, 1),
        6: lambda pixels: np.rot90(pixels, 3),
        7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
        8: lambda pixels: np.rot90(pixels, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if format_name == "JPEG" else {}
    found = pixels_of(encode(image, format_name, exif=exif.tobytes(), **options))
    expected = turns[orientation](np.asarray(image).astype(np.int64))
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 12


def test_opened_picture_is_turned_like_its_file_and_left_as_it_was(shared_data: Path) -> None:
    path = shared_data / "exif_orientation" / "Landscape_6.jpg"
    with Image.open(path) as opened:
        found = pixels_of(opened)
        assert opened.size == (1200, 1800)
    assert np.array_equal(found, pixels_of(path))


def test_real_photos_with_damaged_metadata_decode(shared_data: Path) -> None:
    paths = sorted((shared_data / "invalid_images").glob("*.jpg"))
    assert len(paths) == 7
    for path in paths:
        assert decode_image(path).width > 1


def test_garbage_for_exif_counts_as_upright() -> None:
    image = Image.new("RGB", (30, 20), (10, 200, 90))
    for exif in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x05rubbish"):
        assert decode_image(encode(image, "JPEG", exif=exif)).size == (30, 20)


def test_alpha_is_composited_on_white() -> None:
    rgba = Image.new("RGBA", (4, 3), (200, 0, 0, 0))
    rgba.putpixel((1, 1), (100, 50, 0, 255))
    rgba.putpixel((2, 1), (0, 0, 0, 128))
    found = pixels_of(encode(rgba, "PNG"))
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[1, 1].tolist() == [100, 50, 0]
    assert found[1, 2].tolist() == pytest.approx([127] * 3, abs=1)
    assert np.array_equal(pixels_of(np.asarray(rgba)), found)


def test_grey_with_alpha() -> None:
    image = Image.new("LA", (4, 3), (0, 0))
    image.putpixel((1, 1), (80, 255))
    found = pixels_of(encode(image, "PNG"))
    assert found[0, 0].tolist() == [255] * 3
    assert found[1, 1].tolist() == [80] * 3


@pytest.mark.parametrize("format_name", ["PNG", "GIF"])
def test_palette_with_transparency(format_name: str) -> None:
    image = Image.new("P", (4, 3), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 1), 1)
    found = pixels_of(encode(image, format_name, transparency=0))
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[1, 1].tolist() == [0, 0, 255]
    opaque = pixels_of(encode(image, format_name))
    assert opaque[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("mode", "colour", "key"), [("L", 7, 7), ("RGB", (1, 2, 3), (1, 2, 3)), ("1", 0, 0)])
def test_transparent_colour_without_alpha_channel(mode: str, colour: object, key: object) -> None:
    image = Image.new(mode, (4, 3), colour)  # type: ignore[arg-type]
    assert (pixels_of(encode(image, "PNG", transparency=key)) == 255).all()


def test_cmyk_is_converted() -> None:
    found = pixels_of(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert found[8, 8].tolist() == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bit_is_scaled_by_its_range(format_name: str) -> None:
    values = np.linspace(0, 65535, 60).astype(np.uint16).reshape(6, 10)
    found = pixels_of(encode(Image.fromarray(values), format_name))
    expected = np.rint(values / 65535 * 255).astype(np.int64)
    assert np.array_equal(found, np.repeat(expected[..., None], 3, axis=2))
    assert np.array_equal(pixels_of(values), found)


def test_sixteen_bit_big_endian() -> None:
    values = np.array([[0, 257, 25700, 65535]], dtype=np.uint16)
    image = Image.frombytes("I;16B", (4, 1), values.astype(">u2").tobytes())
    assert pixels_of(image)[0, :, 0].tolist() == [0, 1, 100, 255]


def test_32_bit_integers() -> None:
    image = Image.fromarray(np.array([[0, 25700, 65535]], dtype=np.int32))
    assert pixels_of(image)[0, :, 0].tolist() == [0, 100, 255]
    with pytest.raises(BadImageError, match=r"32-bit values from -1 to 70000; expected 0..65535"):
        decode_image(Image.fromarray(np.array([[-1, 70000]], dtype=np.int32)))


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 0.5, 1], [0, 128, 255]), ([0, 1, 254.6], [0, 1, 255]), ([0, 0, 0], [0, 0, 0])]
)
def test_32_bit_floats(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], dtype=np.float32))
    assert pixels_of(encode(image, "TIFF"))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("values", [[-0.1, 1], [0, 256], [0, np.nan], [0, np.inf]])
def test_32_bit_floats_beyond_the_rule(values: list[float]) -> None:
    with pytest.raises(BadImageError, match=r"expected 0..1 or 0..255"):
        decode_image(Image.fromarray(np.array([values], dtype=np.float32)))


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
def test_animated_files_give_their_first_frame(format_name: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    content = encode(frames[0], format_name, save_all=True, append_images=frames[1:], duration=50)
    assert pixels_of(content)[8, 8].tolist() == pytest.approx([255, 0, 0], abs=6)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4)])
def test_arrays(shape: tuple[int, ...]) -> None:
    array = np.full(shape, 255, dtype=np.uint8)
    assert pixels_of(array).shape == (5, 4, 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), dtype=np.float32), r"array of float32; expected uint8 \(0..255\) or uint16"),
        (np.zeros((3, 8, 8), dtype=np.uint8), r"array of shape \(3, 8, 8\); expected \(H, W\)"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), r"array of shape \(2, 4, 4, 3\)"),
        (np.zeros((0, 4), dtype=np.uint8), r"array of shape \(0, 4\)"),
    ],
)
def test_arrays_that_are_no_picture(array: npt.NDArray[np.generic], message: str) -> None:
    with pytest.raises(BadImageError, match=message):
        decode_image(array)


def test_bomb_is_refused_by_its_header() -> None:
    content = encode(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(content) < 100_000
    with pytest.raises(BadImageError, match="20000 x 20000 is more than the limit of 100,000,000 pixels"):
        decode_image(content)
    with pytest.raises(BadImageError, match="20 x 30 is more than the limit of 599 pixels"):
        decode_image(Image.new("RGB", (20, 30)), max_pixels=599)
    with pytest.raises(BadImageError, match="20 x 30 is more than the limit of 599 pixels"):
        decode_image(np.zeros((30, 20), dtype=np.uint8), max_pixels=599)
    assert decode_image(Image.new("RGB", (20, 30)), max_pixels=600).size == (20, 30)


def test_size_limit_is_ours_and_not_a_warning_of_pillow() -> None:
    content = encode(Image.new("1", (10_000, 9_500)), "PNG")
    assert decode_image(content).size == (10_000, 9_500)


@pytest.mark.parametrize("format_name", [*LOSSLESS, *LOSSY])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(format_name: str, kept: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    content = encode(noise, format_name)
    with pytest.raises(BadImageError):
        decode_image(content[: int(len(content) * kept)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "a.jpg: no such file"),
        (lambda path: path.mkdir(), "a.jpg: a folder, not a file"),
        (lambda path: path.write_bytes(b""), "a.jpg: the file is empty"),
        (lambda path: path.write_bytes(b"\0" * 99), r"a.jpg: not a picture of a supported type \(JPEG, PNG"),
        (lambda path: path.write_text("<html>404</html>"), "a.jpg: not a picture of a supported type"),
        (lambda path: path.write_bytes(encode(draw(1), "PDF")), "a.jpg: not a picture of a supported type"),
    ],
)
def test_files_that_are_no_picture(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "a.jpg")
    for read in (decode_image, read_header):
        with pytest.raises(BadImageError, match=message):
            read(tmp_path / "a.jpg")


def test_name_stands_for_the_source_in_errors() -> None:
    with pytest.raises(BadImageError, match=r"^upload.jpg: ") as error:
        decode_image(b"nothing", name="upload.jpg")
    assert error.value.path == "upload.jpg"


def test_accepting_truncated_files_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(DataError, match="LOAD_TRUNCATED_IMAGES is set"):
        decode_image(draw(1))


def test_settings_of_pillow_and_warnings_stay_as_they_are(shared_data: Path) -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    path = shared_data / "invalid_images" / "image01088.jpg"
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(decode_image(path).tobytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 8
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_header(tmp_path: Path) -> None:
    draw(1, size=(31, 17)).save(tmp_path / "a.jpg")
    assert read_header(tmp_path / "a.jpg") == ("JPEG", "RGB", 31, 17)
    with pytest.raises(BadImageError, match="more than the limit of 500 pixels"):
        read_header(tmp_path / "a.jpg", max_pixels=500)


def levels_apart(path: Path, preprocess: Preprocess) -> npt.NDArray[np.int64]:
    """How far the fitted picture is from the one that was decoded in full."""
    fitted = [
        preprocess.fit_image(decode_image(path, covering=covering)).numpy().astype(np.int64)
        for covering in (None, preprocess.needed_size)
    ]
    return np.abs(fitted[0] - fitted[1])


def build_preprocess(fit: Fit, size: int = 224) -> Preprocess:
    return Preprocess(size, fit, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_reduced_photos_are_close_to_those_decoded_in_full(shared_data: Path, fit: Fit) -> None:
    paths = sorted((shared_data / "large_photos").iterdir())
    found = [levels_apart(path, build_preprocess(fit)) for path in paths]
    means, largest = [levels.mean() for levels in found], [levels.max() for levels in found]
    assert 0 < np.mean(means) < 0.5
    assert max(means) < 1
    assert np.mean(largest) < 10
    assert max(largest) < 25


@pytest.mark.parametrize("scene", ["Landscape", "Portrait"])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_reduced_photos_in_all_orientations_come_out_the_same(shared_data: Path, scene: str, fit: Fit) -> None:
    preprocess = build_preprocess(fit)
    paths = [shared_data / "exif_orientation" / f"{scene}_{orientation}.jpg" for orientation in range(9)]
    sizes = {decode_image(path, covering=preprocess.needed_size).size for path in paths}
    assert len(sizes) == 1
    upright, *turned = (
        preprocess.fit_image(decode_image(path, covering=preprocess.needed_size)).int() for path in paths
    )
    for path, image in zip(paths[1:], turned, strict=True):
        assert (image - upright).abs().float().mean() < 2  # their numbers are painted into them
        assert levels_apart(path, preprocess).mean() < 2


@pytest.mark.parametrize("size", [(1600, 1200), (1599, 1203), (333, 500), (17, 9), (1, 1), (801, 100)])
@pytest.mark.parametrize("needed", [(200, 150), (100, 100), (1, 1), (400, 10), (2000, 2000)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_reduced_size_is_the_smallest_that_covers(
    size: tuple[int, int], needed: tuple[int, int], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(Image.new("RGB", size, (9, 90, 200)), "JPEG", exif=exif.tobytes())
    asked: list[tuple[int, int]] = []

    def covering(width: int, height: int) -> tuple[int, int]:
        asked.append((width, height))
        return needed

    found = decode_image(content, covering=covering).size
    upright = size if orientation == 1 else size[::-1]
    assert asked == [upright]
    covers = [scale for scale in (8, 4, 2, 1) if all(a >= b * scale for a, b in zip(upright, needed, strict=True))] or [
        1
    ]
    assert found == tuple(int(length / covers[0] + 0.5) for length in upright)


@pytest.mark.parametrize("extra", [1, 2, 3, 4])
def test_reduced_picture_of_odd_size_is_hardly_shifted(shared_data: Path, tmp_path: Path, extra: int) -> None:
    """A quarter of 921 pixels is 230.25: a whole pixel for the rest would shift the right end by 0.75 pixels."""
    even, odd = tmp_path / "even.jpg", tmp_path / "odd.jpg"
    with Image.open(shared_data / "large_photos" / "in1k_n03617480_kimono.JPEG") as photo:
        photo.crop((0, 0, 920, 920)).save(even, quality=92)
        photo.crop((0, 0, 920 + extra, 920 + extra)).save(odd, quality=92)
    preprocess = build_preprocess("squash")
    assert levels_apart(odd, preprocess).mean() < levels_apart(even, preprocess).mean() + 1.5


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 95}])
def test_every_kind_of_jpeg_can_be_reduced(mode: str, options: dict[str, object]) -> None:
    image = draw(4, size=(640, 480)).convert(mode)
    content = encode(image, "JPEG", **options)
    covering = build_preprocess("squash", 30).needed_size
    found = decode_image(content, covering=covering)
    assert found.size == (80, 60)
    expected = decode_image(content).resize((80, 60), Image.Resampling.BOX)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(expected).astype(int)).mean() < 2


def test_first_picture_of_an_mpo_is_reduced() -> None:
    content = encode(draw(1, size=(640, 480)), "MPO", save_all=True, append_images=[draw(2, size=(640, 480))])
    assert read_header(io.BytesIO(content)).format == "MPO"
    found = decode_image(content, covering=build_preprocess("squash", 30).needed_size)
    assert found.size == (80, 60)
    expected = np.asarray(draw(1, size=(80, 60))).astype(int)
    assert np.abs(np.asarray(found).astype(int) - expected).mean() < 3


@pytest.mark.parametrize("format_name", LOSSLESS + LOSSY[1:])
def test_other_formats_are_never_reduced(format_name: str) -> None:
    content = encode(draw(1, size=(160, 120)), format_name)
    assert decode_image(content, covering=lambda width, height: (10, 10)).size == (160, 120)


def test_picture_in_memory_is_never_reduced() -> None:
    with Image.open(io.BytesIO(encode(draw(1, size=(160, 120)), "JPEG"))) as opened:
        assert decode_image(opened, covering=lambda width, height: (10, 10)).size == (160, 120)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("progressive", [False, True])
def test_truncated_jpeg_is_refused_when_reduced(kept: float, progressive: bool) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    content = encode(noise, "JPEG", progressive=progressive)
    with pytest.raises(BadImageError):
        decode_image(content[: int(len(content) * kept)], covering=lambda width, height: (32, 32))


def test_size_limit_is_that_of_the_whole_picture() -> None:
    content = encode(draw(1, size=(160, 120)), "JPEG")
    with pytest.raises(BadImageError, match="160 x 120 is more than the limit of 19,199 pixels"):
        decode_image(content, max_pixels=19_199, covering=lambda width, height: (10, 10))


def test_rules_are_words() -> None:
    assert all(isinstance(key, str) and isinstance(rule, str) for key, rule in DECODE_RULES.items())
