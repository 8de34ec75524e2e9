"""Pictures of a table, decoded, fitted and augmented one by one, for loader processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from discern.data.cache.picture_cache import PictureCache
from discern.data.picture_arrays import PictureArrays
from discern.data.reading.decode import MAX_PIXELS, decode_image, is_decoded_reduced
from discern.data.reading.decode_array import decode_array
from discern.data.reading.deep_pixels import DepthRange
from discern.data.reading.preprocess import Preprocess
from discern.data.reading.reduced import Covering
from discern.data.table import ImageTable

if TYPE_CHECKING:
    from discern.data.reading.augment import Augment


class SampleKey(NamedTuple):
    """Which picture, in which epoch; together with the seed it fixes the random augmentation."""

    epoch: int
    row: int


class Sample(NamedTuple):
    """One uint8 image (3, S, S), its class index (-1 when unlabelled) and its row in the table."""

    image: Tensor
    target: int
    row: int


class ImageDataset(Dataset[Sample]):
    """The pictures of a table as uint8 tensors; random augmentation depends on (seed, epoch, row) only.

    It holds no Python object per picture: counting references to those would copy the memory of a forked loader
    process page by page. Without `augment` the images have the preprocessing's own size. JPEG files are decoded
    at the size they are needed in, unless it `decodes_whole`. Pictures that are not in memory are put into `cache`,
    which is made for this table and `canvas_size`, and taken from it the next time; images are the same with and
    without.
    """

    def __init__(
        self,
        table: ImageTable,
        preprocess: Preprocess,
        augment: "Augment | None" = None,
        *,
        seed: int = 0,
        max_pixels: int = MAX_PIXELS,
        cache: PictureCache | None = None,
        decodes_whole: bool = False,
    ) -> None:
        encoded = [os.fsencode(path) for path in table.frame["path"]]
        self._paths = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        self._path_ends = np.cumsum([len(path) for path in encoded], dtype=np.int64)
        self._array_index = table.frame["array_index"].to_numpy(dtype=np.int64, copy=True)
        self._arrays = table.arrays
        self._is_in_memory = table.is_in_memory
        self.targets = table.targets()
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self.max_pixels = max_pixels
        self.cache = cache
        self.decodes_whole = decodes_whole

    @property
    def canvas_size(self) -> int:
        """The side of a picture before augmentation, in pixels."""
        return self.preprocess.image_size if self.augment is None else self.augment.canvas_size

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: SampleKey) -> Sample:
        """Return one picture.

        Raises:
            BadImageError: It cannot be decoded.
        """
        return self.finish(self.read_canvas(key.row), key)

    def finish(self, canvas: Tensor, key: SampleKey) -> Sample:
        """Augment a canvas; for one thread at a time, since all share torch's generator."""
        if self.augment is not None:
            with _seeded(self.seed, key):
                canvas = self.augment(canvas)
        return Sample(canvas, int(self.targets[key.row]), key.row)

    def read_canvas(self, row: int) -> Tensor:
        """Return a picture (3, C, C) before augmentation; several threads may do this at once.

        Raises:
            BadImageError: It cannot be decoded.
        """
        cache = None if self._is_in_memory and self._array_index[row] >= 0 else self.cache
        kept = None if cache is None else cache.get(row)
        if kept is not None:
            return kept
        canvas = self.preprocess.fit_image(self._decode(row), size=self.canvas_size)
        if cache is not None:
            cache.put(row, canvas)
        return canvas

    def is_reduced(self, row: int) -> bool:
        """Return whether a picture is a file that is decoded at a fraction of its size.

        Raises:
            BadImageError: Its header cannot be read.
        """
        is_whole = self.decodes_whole or self._array_index[row] >= 0
        return not is_whole and is_decoded_reduced(self._path(row), self._covering, max_pixels=self.max_pixels)

    def _decode(self, row: int) -> Image.Image:
        covering = None if self.decodes_whole else self._covering
        place, depth_range = int(self._array_index[row]), self.preprocess.depth_range
        return _decode_picture(self._path(row), place, self._arrays, self.max_pixels, depth_range, covering)

    def _path(self, row: int) -> str:
        start = int(self._path_ends[row - 1]) if row else 0
        return os.fsdecode(self._paths[start : int(self._path_ends[row])].tobytes())

    def _covering(self, width: int, height: int) -> tuple[int, int]:
        return self.preprocess.needed_size(width, height, size=self.canvas_size)


def decode_row(
    table: ImageTable, row: int, *, max_pixels: int = MAX_PIXELS, covering: Covering | None = None
) -> Image.Image:
    """Decode the picture at this position of a table, whether it is in memory or in a file.

    With `covering`, a JPEG is decoded at a fraction of its size that covers what is needed, as by `decode_image`.

    Raises:
        BadImageError: It cannot be decoded.
    """
    path, place = table.frame["path"].iloc[row], table.frame["array_index"].iloc[row]
    return _decode_picture(str(path), int(place), table.arrays, max_pixels, table.depth_range, covering)


def _decode_picture(
    path: str,
    place: int,
    arrays: PictureArrays | None,
    max_pixels: int,
    depth_range: DepthRange | None,
    covering: Covering | None = None,
) -> Image.Image:
    if arrays is not None and place >= 0:
        return decode_array(arrays, place, max_pixels=max_pixels, depth_range=depth_range)
    return decode_image(path, max_pixels=max_pixels, covering=covering, depth_range=depth_range)


@contextmanager
def _seeded(seed: int, key: SampleKey) -> Iterator[None]:
    """Seed torch's CPU generator, and only that one, and restore its state afterwards."""
    state = torch.get_rng_state()
    (derived,) = np.random.SeedSequence((seed, key.epoch, key.row)).generate_state(1, np.uint64)
    torch.default_generator.manual_seed(int(derived >> np.uint64(1)))
    try:
        yield
    finally:
        torch.set_rng_state(state)
