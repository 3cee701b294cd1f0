"""Find videos that repeat others: frames that look alike point to pairs, and an alignment in time decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from video_recommender.pipelines.deduplication.frame_hashing import HASH_BITS, ZOOMS, HashedFrames

BANDS: Final = 4
"""The index finds a hash by any of its four quarters, each with one bit wrong at most: always up to 7 wrong bits."""

OFFSET_STEP_S: Final = 0.5
"""Matches of two videos whose offsets differ by less speak for the same alignment."""

LEAST_VOTES: Final = 0.5
"""An alignment is looked at if so many of the frames that were asked for, of the shorter video, speak for it."""

STILL: Final = 2
"""A frame whose hash differs in no more bits from the one before shows the same: it is neither kept in the index nor
asked for, or a picture that stands for half a minute would find nothing but itself."""

ALIGNMENTS_TRIED: Final = 3
NEIGHBOURS_IN_TIME: Final = 1
"""A frame may match the frame shown at that time in the other video, or this many before or after."""

QUERIES_PER_BLOCK: Final = 65536


Rows = NDArray[np.int64]


class DeduplicationOptions(BaseModel):
    """When a video counts as repeating another one (parameters_deduplication.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_distance: int = Field(default=10, ge=0, le=HASH_BITS)
    max_mean_distance: float = Field(default=7.0, ge=0, le=HASH_BITS)
    min_frames: PositiveInt = 5
    neighbours: PositiveInt = 64
    keep_out: bool = True


@dataclass(frozen=True)
class Repetition:
    """Two videos that show the same.

    Attributes:
        wide: row number of the one that shows all of the picture.
        narrow: row number of the one that may show a part of it.
        matched_share: of the frames of the shorter one, how many are found in the other.
        mean_distance: in how many bits the hashes of its frames differ from those in the other, on average.
        offset_s: when in `wide` the first picture of `narrow` is shown, in seconds; negative if that begins earlier.
    """

    wide: int
    narrow: int
    matched_share: float
    mean_distance: float
    offset_s: float


class _Alignment(NamedTuple):
    wide: int
    narrow: int
    zoom: int
    offset: int


def find_repetitions(videos: Sequence[HashedFrames], options: DeduplicationOptions) -> list[Repetition]:
    """Find the pairs of videos of which one repeats the other, without comparing all pairs.

    Args:
        videos: the hashes of each one's frames.
        options: see `DeduplicationOptions`.

    Returns:
        The best alignment of each such pair, by their row numbers.
    """
    best: dict[frozenset[int], Repetition] = {}
    for alignment in _promising_alignments(videos, options):
        if min(len(videos[alignment.wide]), len(videos[alignment.narrow])) < options.min_frames:
            continue
        found = _verify(alignment, videos, options.max_distance)
        pair = frozenset((alignment.wide, alignment.narrow))
        known = best.get(pair)
        limit = options.max_mean_distance if known is None else known.mean_distance
        if found.mean_distance <= limit:
            best[pair] = found
    return sorted(best.values(), key=lambda found: (found.wide, found.narrow))


def _promising_alignments(videos: Sequence[HashedFrames], options: DeduplicationOptions) -> Iterator[_Alignment]:
    """The alignments for which the most frames of a pair speak."""
    shown = [_changes(video) for video in videos]
    wanted = [changes[_one_per_second(video.times_s[changes])] for video, changes in zip(videos, shown, strict=True)]
    votes = np.concatenate([*_votes(videos, shown, wanted, options), np.empty((0, 4), np.int64)])
    alignments, counts = np.unique(votes, axis=0, return_counts=True)
    asked = np.array([len(rows) for rows in wanted], dtype=np.int64)
    is_promising = counts >= LEAST_VOTES * asked[alignments[:, :2]].min(axis=1)
    alignments, counts = alignments[is_promising], counts[is_promising]
    order = np.lexsort((*alignments.T[::-1], -counts))  # the most votes first, else by the numbers
    tried: dict[tuple[int, int], int] = {}
    for row in order:
        alignment = _Alignment(*alignments[row].tolist())
        pair = min(alignment[:2]), max(alignment[:2])
        tried[pair] = tried.get(pair, 0) + 1
        if tried[pair] <= ALIGNMENTS_TRIED:
            yield alignment


def _votes(
    videos: Sequence[HashedFrames], shown: Sequence[Rows], wanted: Sequence[Rows], options: DeduplicationOptions
) -> Iterator[NDArray[np.int64]]:
    """Per pair of frames that look alike: rows of wide, narrow, zoom, offset in steps."""
    import faiss  # here: its threads must not be started in a process that only infers

    owners = np.repeat(np.arange(len(videos)), [len(video) for video in videos])
    if not len(owners):
        return
    times_s = np.concatenate([video.times_s for video in videos])
    hashes = np.concatenate([video.hashes for video in videos])
    starts = np.cumsum([0, *(len(video) for video in videos[:-1])])
    known, queries = (
        np.concatenate([start + rows for start, rows in zip(starts, chosen, strict=True)]) for chosen in (shown, wanted)
    )
    index = faiss.IndexBinaryMultiHash(HASH_BITS, BANDS, HASH_BITS // BANDS)
    index.nflip = 1
    index.add(_as_bytes(hashes[known, 0]))
    for zoom in range(len(ZOOMS)):
        for start in range(0, len(queries), QUERIES_PER_BLOCK):
            rows = queries[start : start + QUERIES_PER_BLOCK]
            distances, found = index.search(_as_bytes(hashes[rows, zoom]), options.neighbours)
            asked, hit = np.repeat(rows, options.neighbours), np.where(found >= 0, known[found], -1).ravel()
            is_match = (hit >= 0) & (distances.ravel() <= options.max_distance) & (owners[asked] != owners[hit])
            asked, hit = asked[is_match], hit[is_match]
            offsets = np.rint((times_s[asked] - times_s[hit]) / OFFSET_STEP_S).astype(np.int64)
            yield np.stack([owners[asked], owners[hit], np.full(len(asked), zoom), offsets], axis=1)


def _changes(video: HashedFrames) -> Rows:
    """The frames that do not show the same as the one before."""
    hashes = video.hashes[:, 0]
    is_new = np.bitwise_count(hashes[1:] ^ hashes[:-1]) > STILL
    return np.flatnonzero(np.concatenate([np.ones(min(1, len(hashes)), bool), is_new]))


def _one_per_second(times_s: NDArray[np.float64]) -> Rows:
    return np.unique(np.floor(times_s), return_index=True)[1].astype(np.int64)


def _verify(alignment: _Alignment, videos: Sequence[HashedFrames], max_distance: int) -> Repetition:
    wide, narrow = videos[alignment.wide], videos[alignment.narrow]
    offset_s = alignment.offset * OFFSET_STEP_S
    nearest = np.searchsorted(wide.times_s, narrow.times_s + offset_s)
    around = nearest[:, np.newaxis] + np.arange(-NEIGHBOURS_IN_TIME - 1, NEIGHBOURS_IN_TIME + 1)
    candidates = wide.hashes[np.clip(around, 0, len(wide) - 1), alignment.zoom]
    distances = np.bitwise_count(candidates ^ narrow.hashes[:, :1])
    distances[(around < 0) | (around >= len(wide))] = HASH_BITS
    of_shorter = np.sort(distances.min(axis=1))[: min(len(wide), len(narrow))]
    share = float((of_shorter <= max_distance).mean())
    return Repetition(alignment.wide, alignment.narrow, share, float(of_shorter.mean()), offset_s)


def _as_bytes(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(hashes).view(np.uint8).reshape(len(hashes), -1)
