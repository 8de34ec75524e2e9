"""Finds hashes that differ in few bits, among millions and without comparing all with all."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from discern.data.duplicates.perceptual_hash import Hashes

Pairs = npt.NDArray[np.int64]
"""Places (P, 2) in two arrays."""

_BANDS = 8
_BAND_BITS = np.uint64(8)
_CELLS_AT_ONCE = 2**21
_LARGE_BUCKET = 4096
_NEIGHBOURS = 512


def find_close_hashes(first: Hashes, second: Hashes, *, max_bits: int, max_partners: int) -> Pairs:
    """Return pairs of places in two arrays whose hashes differ in at most `max_bits` of 64 bits.

    Two hashes are compared when one of their eight bytes is equal: pairs with up to 7 bits of difference are all
    found, and most of those with a few more. Of each entry of `first` only the `max_partners`
    closest are kept, and where more than 4,096 share a byte, each is compared with about a thousand of them that are
    next to it by value: work and pairs grow with the number of crowded hashes and not with its square.

    Source: Norouzi et al., "Fast search in Hamming space with multi-index hashing", 2012, without their search of
    neighbouring bytes.
    """
    keys = np.zeros(0, np.int64)
    for band in range(_BANDS):
        shift = np.uint64(band) * _BAND_BITS
        first_buckets, second_buckets = (_sort_into_buckets(hashes, shift) for hashes in (first, second))
        found = [keys]
        for bucket in zip(first_buckets, second_buckets, strict=True):
            for ours, theirs in _split_large(first, second, *bucket):
                close = _compare(first, second, ours, theirs, max_bits, max_partners)
                found += [pairs[:, 0] * len(second) + pairs[:, 1] for pairs in close]
        keys = _keep_closest(first, second, np.unique(np.concatenate(found)), max_partners)
    return np.stack(np.divmod(keys, max(1, len(second))), axis=1)


def count_different_bits(first: Hashes, second: Hashes) -> npt.NDArray[np.uint8]:
    """Return in how many bits hashes differ."""
    return np.asarray(np.bitwise_count(first ^ second))


def _sort_into_buckets(hashes: Hashes, shift: np.uint64) -> list[npt.NDArray[np.int64]]:
    """Return the places of the hashes with each value, 0 to 255, of one byte."""
    values = ((hashes >> shift) & np.uint64(255)).astype(np.uint8)
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(np.bincount(values, minlength=256))
    return np.split(order, ends[:-1])


def _split_large(
    first: Hashes, second: Hashes, ours: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield what is to be compared: a bucket as it is, or, where very many share a byte, what is near by value."""
    if not len(ours) or not len(theirs):
        return
    if len(theirs) <= _LARGE_BUCKET:
        yield ours, theirs
        return
    ours, theirs = ours[np.argsort(first[ours], kind="stable")], theirs[np.argsort(second[theirs], kind="stable")]
    for start in range(0, len(ours), _NEIGHBOURS):
        part = ours[start : start + _NEIGHBOURS]
        middle = int(np.searchsorted(second[theirs], first[part[len(part) // 2]]))
        low = max(0, min(middle - _NEIGHBOURS, len(theirs) - 2 * _NEIGHBOURS))
        yield part, theirs[low : low + 2 * _NEIGHBOURS]


def _keep_closest(
    first: Hashes, second: Hashes, keys: npt.NDArray[np.int64], max_partners: int
) -> npt.NDArray[np.int64]:
    """Keep the closest partners of each of the first; keys are ascending, and so is what is returned."""
    rows, columns = np.divmod(keys, max(1, len(second)))
    starts = np.searchsorted(rows, rows)
    if not (np.arange(len(rows)) - starts >= max_partners).any():
        return keys
    order = np.lexsort((columns, count_different_bits(first[rows], second[columns]), rows))
    return np.sort(keys[order[np.arange(len(rows)) - starts < max_partners]])


def _compare(
    first: Hashes,
    second: Hashes,
    ours: npt.NDArray[np.int64],
    theirs: npt.NDArray[np.int64],
    max_bits: int,
    max_partners: int,
) -> list[Pairs]:
    pairs = []
    rows_at_once = max(1, _CELLS_AT_ONCE // len(theirs))
    for start in range(0, len(ours), rows_at_once):
        part = ours[start : start + rows_at_once]
        bits = count_different_bits(first[part][:, None], second[theirs][None, :])
        if len(theirs) > max_partners and _holds_crowd(bits, max_bits, max_partners):
            columns = np.argpartition(bits, max_partners, axis=1)[:, :max_partners]
            rows = np.repeat(np.arange(len(part)), max_partners)
            columns = columns.reshape(-1)
            is_close = bits[rows, columns] <= max_bits
            rows, columns = rows[is_close], columns[is_close]
        else:
            rows, columns = np.divmod(np.flatnonzero(bits <= max_bits), len(theirs))
        if len(rows):
            pairs.append(np.stack([part[rows], theirs[columns]], axis=1))
    return pairs


def _holds_crowd(bits: npt.NDArray[np.uint8], max_bits: int, max_partners: int) -> bool:
    return bool((np.count_nonzero(bits <= max_bits, axis=1) > max_partners).any())
