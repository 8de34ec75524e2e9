"""How a photo was held, as EXIF says it, and the photo turned upright."""

from PIL import Image
from PIL.ExifTags import Base

_UPRIGHT_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)


def read_orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8, where 1 is upright; damaged EXIF counts as upright."""
    try:
        orientation = image.getexif().get(Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF makes Pillow raise nearly anything, and the picture can be used all the same
        return 1
    return orientation if isinstance(orientation, int) else 1


def is_on_its_side(image: Image.Image) -> bool:
    """Return whether width and height are exchanged when the picture is turned upright."""
    return read_orientation(image) in _ON_ITS_SIDE


def turn_upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF orientation says."""
    method = _UPRIGHT_BY_ORIENTATION.get(read_orientation(image))
    return image if method is None else image.transpose(method)
