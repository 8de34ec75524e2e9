"""Why a file is refused, in words that say what to do about it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from discern.data.reading.file_content import read_head
from discern.data.reading.file_types import describe_type
from discern.data.reading.image_source import ImageSource
from discern.data.reading.supported_types import list_formats
from discern.data.table import holds_escape
from discern.errors import BadImageError


@contextmanager
def refusing(shown: str, source: ImageSource = b"") -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into a `BadImageError` with a reason to read."""
    try:
        yield
    except BadImageError:
        raise
    except FileNotFoundError as error:
        raise BadImageError(shown, _explain_missing(shown)) from error
    except IsADirectoryError as error:
        raise BadImageError(shown, "a folder, not a file") from error
    except PermissionError as error:
        raise BadImageError(shown, "no permission to read it") from error
    except UnidentifiedImageError as error:
        raise BadImageError(shown, _explain_unknown(source, shown)) from error
    except Exception as error:
        raise BadImageError(shown, f"damaged: {error or type(error).__name__}") from error


def _explain_missing(shown: str) -> str:
    if not holds_escape(shown):
        return "no such file"
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        return f"this Python reads file names as {encoding}; start it with PYTHONUTF8=1"
    return "the file name is not valid UTF-8; rename it"


def _explain_unknown(source: ImageSource, shown: str) -> str:
    head = b"" if isinstance(source, np.ndarray | Image.Image) else read_head(source)
    if not head and isinstance(source, str | Path | bytes):
        return "the file is empty"
    found = describe_type(head, shown)
    return "not a picture of a supported type" + (f", but {found}" if found else f" ({', '.join(list_formats())})")
