"""Find videos that repeat others: frames that look alike point to pairs, and an alignment in time decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from video_recommender.similarity.hash_index import HashIndex, Rows
from video_recommender.similarity.perceptual_hash import HASH_BITS, ZOOMS, HashedFrames, Hashes

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
    frames = _Frames.of(videos)
    shown = frames.changes()
    wanted = frames.one_per_second(shown)
    asked = np.bincount(frames.owners[wanted], minlength=len(videos))
    index = HashIndex(frames.hashes[shown, 0], frames.owners[shown])
    parts = [(np.empty((0, len(_Alignment._fields)), np.int64), np.empty(0, np.int64))]
    for block in _whole_videos(frames.owners[wanted]):
        alignments, counts = _count_votes(frames, index, shown, wanted[block], options)
        is_promising = counts >= LEAST_VOTES * asked[alignments[:, :2]].min(axis=1)
        parts.append((alignments[is_promising], counts[is_promising]))
    alignments, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((*alignments.T[::-1], -counts))  # the most votes first, else by the numbers
    tried: dict[tuple[int, int], int] = {}
    for row in order:
        alignment = _Alignment(*alignments[row].tolist())
        pair = min(alignment[:2]), max(alignment[:2])
        tried[pair] = tried.get(pair, 0) + 1
        if tried[pair] <= ALIGNMENTS_TRIED:
            yield alignment


@dataclass(frozen=True)
class _Frames:
    """The frames of all videos, one after the other: whose each is, when it is shown, and its hashes."""

    owners: Rows
    times_s: NDArray[np.float64]
    hashes: Hashes

    @classmethod
    def of(cls, videos: Sequence[HashedFrames]) -> "_Frames":
        return cls(
            np.repeat(np.arange(len(videos)), [len(video) for video in videos]),
            np.concatenate([np.empty(0), *(video.times_s for video in videos)]),
            np.concatenate([np.empty((0, len(ZOOMS)), np.uint64), *(video.hashes for video in videos)]),
        )

    def changes(self) -> Rows:
        """The frames that do not show the same as the one before."""
        whole = self.hashes[:, 0]
        is_new = np.bitwise_count(whole ^ np.roll(whole, 1)) > STILL
        return np.flatnonzero(_are_first(self.owners) | is_new)

    def one_per_second(self, rows: Rows) -> Rows:
        """Of these frames the first of each second."""
        seconds = np.floor(self.times_s[rows])
        chosen: Rows = rows[_are_first(self.owners[rows]) | (seconds != np.roll(seconds, 1))]
        return chosen


def _are_first(owners: Rows) -> NDArray[np.bool_]:
    """Which are the first of their video."""
    return np.diff(owners, prepend=-1).astype(bool)


def _whole_videos(owners: Rows) -> Iterator[slice]:
    """Cut what is in order of videos into blocks, each about as long as `QUERIES_PER_BLOCK` and of whole videos."""
    firsts = np.flatnonzero(_are_first(owners))
    cuts = firsts[np.diff(firsts // QUERIES_PER_BLOCK, prepend=-1) > 0]
    yield from map(slice, cuts, [*cuts[1:], len(owners)])


def _count_votes(
    frames: _Frames, index: HashIndex, shown: Rows, wanted: Rows, options: DeduplicationOptions
) -> tuple[Rows, Rows]:
    """Count, for each alignment, the frames of its wide video that look like one of the narrow video at that time.

    Returns:
        Alignments, in rows like `_Alignment`, and how many frames speak for each.
    """
    votes = []
    for zoom in range(len(ZOOMS)):
        asked, found = index.search(
            frames.hashes[wanted, zoom], frames.owners[wanted], options.max_distance, options.neighbours
        )
        asked, hit = wanted[asked], shown[found]
        offsets = np.rint((frames.times_s[asked] - frames.times_s[hit]) / OFFSET_STEP_S).astype(np.int64)
        votes.append(np.stack([frames.owners[asked], frames.owners[hit], np.full(len(asked), zoom), offsets], axis=1))
    together = np.concatenate(votes)
    together = together[np.lexsort(together.T[::-1])]
    firsts = np.flatnonzero(np.any(np.diff(together, axis=0, prepend=-1), axis=1))
    return together[firsts], np.diff(firsts, append=len(together))


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
