"""Compute perceptual hashes of frames, and find similar hashes in nearly constant time."""

from collections.abc import Iterable
from itertools import combinations
from typing import Final, NamedTuple

import cv2
import imagehash
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from video_recommender.media.frames import RgbImage

ZOOMS: Final = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Relative width and height of the central crops that are hashed to match cropped copies."""
HASH_BITS: Final = 64
WORKING_SIZE: Final = 128  # side of the greyscale image that is cropped, in pixels
TRANSFORMED_SIZE: Final = 32  # side of the input of the cosine transform, in pixels
MIN_CONTRAST: Final = 8.0
"""Minimum standard deviation of grey levels (0 to 255). Frames below it, such as black ones, match too many frames."""

CHUNKS_PER_KEY: Final = 2
MAX_CHUNKS: Final = 8
MIN_CHUNKS: Final = 4
BIT_STRIDE: Final = 13
"""Distance between consecutive bits of a chunk. Adjacent bits represent similar frequencies and are correlated."""
MAX_BUCKET_SIZE: Final = 256
"""Maximum number of compared hashes per bucket. This prevents quadratic time for frames that occur in many videos, such
as title cards. All copies of a video still match the first copy."""

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]  # row numbers


def hash_images(images: Iterable[RgbImage]) -> tuple[NDArray[np.int64], Hashes]:
    """Hash every RGB image, uint8, at every zoom, except images of low contrast.

    The hash is pHash (Zauner 2010, https://www.phash.org/docs/pubs/thesis_zauner.pdf) as in ImageHash: the lowest
    frequencies of the cosine transform, compared with their median. Returns the numbers (1-based) of the hashed images,
    shape (n,), and the hashes, shape (n, zooms).
    """
    edges = [round(WORKING_SIZE * (1 - zoom) / 2) for zoom in ZOOMS]
    numbers, hashed = [], []
    for number, image in enumerate(images, start=1):
        grey = _shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), WORKING_SIZE)
        if grey.std() >= MIN_CONTRAST:
            numbers.append(number)
            hashed.append([_hash(grey[edge : WORKING_SIZE - edge, edge : WORKING_SIZE - edge]) for edge in edges])
    return np.array(numbers, dtype=np.int64), np.array(hashed, dtype=np.uint64).reshape(-1, len(ZOOMS))


def _hash(grey: NDArray[np.uint8]) -> int:
    # The image is resized here, because resizing in ImageHash takes seven times as long.
    image = Image.fromarray(_shrink(grey, TRANSFORMED_SIZE))
    return int.from_bytes(np.packbits(imagehash.phash(image).hash).tobytes(), "big")


def _shrink(grey: MatLike, side: int) -> NDArray[np.uint8]:
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


class Matches(NamedTuple):
    """Pairs of similar hashes, in order of the queries, nearest first."""

    queries: Rows
    found: Rows


class _Table(NamedTuple):
    mask: np.uint64
    keys: Hashes
    starts: NDArray[np.uint32]
    counts: NDArray[np.uint32]
    rows: NDArray[np.uint32]


class HashIndex:
    """Index for Hamming distance by multi-index hashing (Norouzi et al. 2012, https://arxiv.org/abs/1307.2982).

    Bits are split into chunks, with one hash table per pair of chunks, because hashes that differ in few bits are equal
    in at least two chunks. With eight chunks, the search finds all hashes that differ in at most 6 bits, and 3 of 4
    hashes that differ in 10 bits. Larger indexes use fewer, longer chunks to keep buckets small. With six chunks, for
    one to two million hashes, these limits are 4 and 6 bits.

    Args:
        hashes: hashes of frames, shape (hashes,).
        owners: number of each hash's video, shape (hashes,). Hashes of the same video do not match each other.
    """

    def __init__(self, hashes: Hashes, owners: Rows) -> None:
        self._hashes, self._owners = hashes, owners
        chunks = _chunk_masks(chunks_for(len(hashes)))
        self._tables = [_table(hashes, np.bitwise_or(*pair)) for pair in combinations(chunks, CHUNKS_PER_KEY)]

    def search(self, queries: Hashes, owners: Rows, max_distance: int, at_most: int) -> Matches:
        """Find at most `at_most` nearest hashes of other videos within `max_distance` bits of each query."""
        parts = [self._search_table(number, queries, owners, max_distance) for number in range(len(self._tables))]
        query, found, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((found, distances, query))
        query, found = query[order], found[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        return Matches(query[rank < at_most], found[rank < at_most])

    def _search_table(
        self, number: int, queries: Hashes, owners: Rows, max_distance: int
    ) -> tuple[Rows, Rows, NDArray[np.uint8]]:
        table = self._tables[number]
        keys = queries & table.mask
        order = np.argsort(keys)  # a lookup of sorted keys is several times faster
        keys = keys[order]
        buckets = np.minimum(np.searchsorted(table.keys, keys), max(len(table.keys) - 1, 0))
        exists = table.keys[buckets] == keys if len(table.keys) else np.zeros(len(keys), bool)
        order, buckets = order[exists], buckets[exists]
        counts = table.counts[buckets].astype(np.int64)
        offsets = table.starts[buckets] - (np.cumsum(counts) - counts)
        query = np.repeat(order, counts)
        found = table.rows[np.arange(len(query)) + np.repeat(offsets, counts)].astype(np.int64)
        different = queries[query] ^ self._hashes[found]
        is_match = (np.bitwise_count(different) <= max_distance) & (owners[query] != self._owners[found])
        query, found, different = query[is_match], found[is_match], different[is_match]
        is_new = np.ones(len(query), bool)
        for previous in self._tables[:number]:  # these tables have already found pairs with equal chunks
            is_new &= (different & previous.mask) != 0
        return query[is_new], found[is_new], np.bitwise_count(different[is_new])


def chunks_for(count: int) -> int:
    """Choose the number of chunks so that there are at least as many possible keys as hashes."""
    bits = max(int(count - 1).bit_length(), 1)
    return int(np.clip(CHUNKS_PER_KEY * HASH_BITS // bits, MIN_CHUNKS, MAX_CHUNKS))


def _chunk_masks(count: int) -> list[np.uint64]:
    bits = np.arange(HASH_BITS, dtype=np.uint64)
    chunk = (bits * BIT_STRIDE % HASH_BITS) * count // HASH_BITS
    return [np.bitwise_or.reduce(np.uint64(1) << bits[chunk == number]) for number in range(count)]


def _table(hashes: Hashes, mask: np.uint64) -> _Table:
    keys = hashes & mask
    rows = np.argsort(keys, kind="stable")
    keys, starts, counts = np.unique(keys[rows], return_index=True, return_counts=True)
    counts = np.minimum(counts, MAX_BUCKET_SIZE)
    return _Table(mask, keys, starts.astype(np.uint32), counts.astype(np.uint32), rows.astype(np.uint32))
