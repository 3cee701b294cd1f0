"""Find hashes that differ in few bits, in a time that hardly depends on how many there are."""

from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from video_recommender.similarity.perceptual_hash import HASH_BITS, Hashes

PIECES_OF_A_KEY: Final = 2
MOST_PIECES: Final = 8
LEAST_PIECES: Final = 4

SPREAD: Final = 13
"""Bits that stand so far apart make up a piece: neighbours tell of frequencies that are alike, and are often equal."""

MOST_UNDER_A_KEY: Final = 256
"""Of what stands under a key, no more is looked at, the first: what very many frames share, such as a title card, would
else take quadratic time; and where a video has very many copies, each of them finds the first."""


Rows = NDArray[np.int64]


class Neighbours(NamedTuple):
    """Pairs of hashes that are alike, by query, the nearest first: rows of the queries, and of what they have found."""

    asked: Rows
    found: Rows


class _Table(NamedTuple):
    mask: np.uint64
    keys: Hashes
    starts: NDArray[np.uint32]
    counts: NDArray[np.uint32]
    rows: NDArray[np.uint32]


class HashIndex:
    """Hashes by what they have in common (multi-index hashing; Norouzi et al., 2012, https://arxiv.org/abs/1307.2982).

    The bits are cut into pieces, and there is a table for every two of them: whoever differs in few bits is the same in
    two pieces. With eight pieces all within 6 bits are found, and of those with 10 wrong bits 3 in 4. The more hashes,
    the fewer and longer the pieces, so that as few other hashes as ever stand under a key: with six pieces, for one to
    two million hashes, all within 4 bits are found and 3 in 4 of those with 6 wrong bits.

    Args:
        hashes: shape (n,).
        owners: of each hash, the number of its video: those of one video are never found for each other.
    """

    def __init__(self, hashes: Hashes, owners: Rows) -> None:
        self._hashes, self._owners = hashes, owners
        pieces = _pieces(pieces_for(len(hashes)))
        self._tables = [_table(hashes, np.bitwise_or(*pair)) for pair in combinations(pieces, PIECES_OF_A_KEY)]

    def search(self, queries: Hashes, owners: Rows, max_distance: int, at_most: int) -> Neighbours:
        """Find hashes of other videos.

        Args:
            queries: shape (m,).
            owners: of each query, the number of its video.
            max_distance: in how many bits they may differ.
            at_most: how many to give for each query, the nearest.

        Returns:
            See `Neighbours`.
        """
        parts = [self._under_same_key(number, queries, owners, max_distance) for number in range(len(self._tables))]
        asked, found, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((found, distances, asked))
        asked, found = asked[order], found[order]
        place = np.arange(len(asked)) - np.searchsorted(asked, asked)
        return Neighbours(asked[place < at_most], found[place < at_most])

    def _under_same_key(
        self, number: int, queries: Hashes, owners: Rows, max_distance: int
    ) -> tuple[Rows, Rows, NDArray[np.uint8]]:
        table = self._tables[number]
        keys = queries & table.mask
        order = np.argsort(keys)  # in order they are looked up several times faster
        keys = keys[order]
        places = np.minimum(np.searchsorted(table.keys, keys), max(len(table.keys) - 1, 0))
        is_there = table.keys[places] == keys if len(table.keys) else np.zeros(len(keys), bool)
        order, places = order[is_there], places[is_there]
        counts = table.counts[places].astype(np.int64)
        skipped = table.starts[places] - (np.cumsum(counts) - counts)
        asked = np.repeat(order, counts)
        found = table.rows[np.arange(len(asked)) + np.repeat(skipped, counts)].astype(np.int64)
        different = queries[asked] ^ self._hashes[found]
        is_new = (np.bitwise_count(different) <= max_distance) & (owners[asked] != self._owners[found])
        asked, found, different = asked[is_new], found[is_new], different[is_new]
        for earlier in self._tables[:number]:  # that has found the same pair
            is_new = (different & earlier.mask) != 0
            asked, found, different = asked[is_new], found[is_new], different[is_new]
        return asked, found, np.bitwise_count(different)


def pieces_for(count: int) -> int:
    """Into how many pieces to cut so many hashes: a key has at least as many bits as their number has."""
    bits = max(int(count - 1).bit_length(), 1)
    return int(np.clip(PIECES_OF_A_KEY * HASH_BITS // bits, LEAST_PIECES, MOST_PIECES))


def _pieces(count: int) -> list[np.uint64]:
    bits = np.arange(HASH_BITS, dtype=np.uint64)
    piece = (bits * SPREAD % HASH_BITS) * count // HASH_BITS
    return [np.bitwise_or.reduce(np.uint64(1) << bits[piece == number]) for number in range(count)]


def _table(hashes: Hashes, mask: np.uint64) -> _Table:
    keys = hashes & mask
    rows = np.argsort(keys, kind="stable")
    keys, starts, counts = np.unique(keys[rows], return_index=True, return_counts=True)
    counts = np.minimum(counts, MOST_UNDER_A_KEY)
    return _Table(mask, keys, starts.astype(np.uint32), counts.astype(np.uint32), rows.astype(np.uint32))
