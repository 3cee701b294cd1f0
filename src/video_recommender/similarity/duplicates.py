"""Find near-duplicate videos: matching frames propose pairs of videos, and an alignment in time verifies each pair."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from video_recommender.similarity.perceptual_hash import HASH_BITS, ZOOMS, Hashes, HashIndex, Rows

MAX_DISTANCE: Final = 10
"""Maximum Hamming distance of matching frames, in bits; frames of unrelated videos are rarely this similar."""
MATCHES_PER_FRAME: Final = 64  # maximum number of matches per frame, which is enough for 64 copies of a video
OFFSET_STEP_S: Final = 0.5  # matches whose offsets round to the same step vote for the same alignment
MIN_VOTE_SHARE: Final = 0.5  # minimum share of the shorter video's query frames that vote for a verified alignment
STILL_DISTANCE: Final = 2
"""Frames within this Hamming distance of the previous frame, in bits, are neither indexed nor searched. Otherwise, a
long still would exhaust the limits on matches per frame and per bucket."""
MAX_ALIGNMENTS: Final = 3  # maximum number of verified alignments per pair of videos
ADJACENT_FRAMES: Final = 1  # tolerance in frames when two aligned videos are compared
QUERIES_PER_BLOCK: Final = 65536
DURATION_STEP_S: Final = 0.5  # durations are rounded, because copies at another frame rate can differ by one frame


class DeduplicationOptions(BaseModel, extra="forbid", frozen=True):
    """Options of the search for near duplicates (parameters_deduplication.yml)."""

    max_mean_distance: float = Field(default=7.0, ge=0, le=HASH_BITS)
    min_frames: PositiveInt = 5
    exclude_duplicates: bool = True


@dataclass(frozen=True)
class HashedFrames:
    """The frames of one video that have a hash."""

    times_s: NDArray[np.float64]  # shape (frames,): time from the start of the video, in seconds
    hashes: Hashes  # shape (frames, zooms), in the order of `ZOOMS`

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True)
class DuplicatePair:
    """Two videos with the same content."""

    full: int  # row number of the video with the larger field of view
    cropped: int  # row number of the video that may be cropped
    matched_share: float  # share of the shorter video's frames that match, 0 to 1
    mean_distance: float  # mean Hamming distance of the shorter video's frames to the other video, in bits
    offset_s: float  # start of `cropped` in `full`, in seconds; negative if `cropped` starts earlier


class Duplicate(NamedTuple):
    """A near duplicate of an original."""

    original: int  # row number of the original
    matched_share: float  # see `DuplicatePair`
    offset_s: float  # start of the duplicate in the original, in seconds


class _Alignment(NamedTuple):
    full: int
    cropped: int
    zoom: int
    offset: int


def find_duplicate_pairs(videos: Sequence[HashedFrames], options: DeduplicationOptions) -> list[DuplicatePair]:
    """Find the pairs of videos that show the same content in the same order, with the best alignment of each pair."""
    best: dict[frozenset[int], DuplicatePair] = {}
    for alignment in _likely_alignments(videos):
        if min(len(videos[alignment.full]), len(videos[alignment.cropped])) < options.min_frames:
            continue
        found = _verify(alignment, videos)
        pair = frozenset((alignment.full, alignment.cropped))
        limit = best[pair].mean_distance if pair in best else options.max_mean_distance
        if found.mean_distance <= limit:
            best[pair] = found
    return sorted(best.values(), key=lambda found: (found.full, found.cropped))


def assign_originals(pairs: Sequence[DuplicatePair], ranks: Sequence[int]) -> Mapping[int, Duplicate]:
    """Return a mapping from the row numbers of near duplicates to their originals, which are never duplicates.

    Videos are processed in order of `ranks` (see `rank_videos`). A video that matches originals becomes a duplicate of
    the most similar original. Any other video becomes an original.
    """
    partners: dict[int, dict[int, Duplicate]] = {}
    for pair in pairs:
        partners.setdefault(pair.cropped, {})[pair.full] = Duplicate(pair.full, pair.matched_share, pair.offset_s)
        partners.setdefault(pair.full, {})[pair.cropped] = Duplicate(pair.cropped, pair.matched_share, -pair.offset_s)
    duplicates: dict[int, Duplicate] = {}
    originals: set[int] = set()
    for video in sorted(partners, key=lambda video: ranks[video]):
        matches = [duplicate for other, duplicate in partners[video].items() if other in originals]
        if matches:
            duplicates[video] = max(matches, key=lambda match: (match.matched_share, -ranks[match.original]))
        else:
            originals.add(video)
    return duplicates


def rank_videos(videos: pd.DataFrame) -> Sequence[int]:
    """Rank videos as originals (0-based) by descending `duration_s`, descending `width` × `height`, and `video_id`."""
    duration = -(videos["duration_s"].fillna(0) / DURATION_STEP_S).round()
    pixels = -(videos["width"] * videos["height"]).fillna(0).astype(float)
    order = np.lexsort((videos["video_id"].to_numpy(str), pixels.to_numpy(), duration.to_numpy()))
    ranks: list[int] = np.argsort(order).tolist()
    return ranks


def merge_groups(groups: pd.Series, originals: pd.Series) -> pd.Series:
    """Merge the groups of near duplicates with the groups of their originals. The alphabetically first name is kept.

    Both series have the index `video_id`. `originals` is missing for videos that are not near duplicates.
    """
    pairs = originals.dropna()
    codes, names = groups.factorize(sort=True)
    first, second = (codes[groups.index.get_indexer(videos)] for videos in (pairs.index, pd.Index(pairs)))
    links = coo_array((np.ones(len(pairs)), (first, second)), shape=(len(names), len(names)))
    components = connected_components(links, directed=False)[1]
    merged = pd.Series(names).groupby(components).transform("first").to_numpy()
    return pd.Series(merged[codes], index=groups.index, name=groups.name)


def _likely_alignments(videos: Sequence[HashedFrames]) -> Iterator[_Alignment]:
    """Yield, for each pair of videos, the alignments with the most votes."""
    frames = _Frames.of(videos)
    indexed = frames.changes()
    queries = frames.one_per_second(indexed)
    query_counts = np.bincount(frames.owners[queries], minlength=len(videos))
    index = HashIndex(frames.hashes[indexed, 0], frames.owners[indexed])
    parts = [(np.empty((0, len(_Alignment._fields)), np.int64), np.empty(0, np.int64))]
    for block in _blocks_of_videos(frames.owners[queries]):
        alignments, votes = _count_votes(frames, index, indexed, queries[block])
        is_likely = votes >= MIN_VOTE_SHARE * query_counts[alignments[:, :2]].min(axis=1)
        parts.append((alignments[is_likely], votes[is_likely]))
    alignments, votes = (np.concatenate(column) for column in zip(*parts, strict=True))
    verified: dict[tuple[int, int], int] = {}
    for row in np.lexsort((*alignments.T[::-1], -votes)):  # most votes first
        alignment = _Alignment(*alignments[row].tolist())
        pair = min(alignment[:2]), max(alignment[:2])
        verified[pair] = verified.get(pair, 0) + 1
        if verified[pair] <= MAX_ALIGNMENTS:
            yield alignment


@dataclass(frozen=True)
class _Frames:
    """The frames of all videos, in order of video and time."""

    owners: Rows  # row number of the video
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
        """Return the rows of frames that differ from the previous frame."""
        whole = self.hashes[:, 0]
        differs = np.bitwise_count(whole ^ np.roll(whole, 1)) > STILL_DISTANCE
        return np.flatnonzero(_is_first(self.owners) | differs)

    def one_per_second(self, rows: Rows) -> Rows:
        """Return the first of these rows in each second of a video."""
        seconds = np.floor(self.times_s[rows])
        first: Rows = rows[_is_first(self.owners[rows]) | (seconds != np.roll(seconds, 1))]
        return first


def _is_first(owners: Rows) -> NDArray[np.bool_]:
    """Return whether each frame is the first of its video."""
    return np.diff(owners, prepend=-1).astype(bool)


def _blocks_of_videos(owners: Rows) -> Iterator[slice]:
    """Split rows that are sorted by video into blocks of about `QUERIES_PER_BLOCK` rows, without splitting a video."""
    firsts = np.flatnonzero(_is_first(owners))
    starts = firsts[np.diff(firsts // QUERIES_PER_BLOCK, prepend=-1) > 0]
    yield from map(slice, starts, [*starts[1:], len(owners)])


def _count_votes(frames: _Frames, index: HashIndex, indexed: Rows, queries: Rows) -> tuple[Rows, Rows]:
    """Return alignments, one row each with the fields of `_Alignment`, and the number of votes for each alignment."""
    votes = []
    for zoom in range(len(ZOOMS)):
        owners = frames.owners[queries]
        query, found = index.search(frames.hashes[queries, zoom], owners, MAX_DISTANCE, MATCHES_PER_FRAME)
        query, found = queries[query], indexed[found]
        offsets = np.rint((frames.times_s[query] - frames.times_s[found]) / OFFSET_STEP_S).astype(np.int64)
        votes.append(np.stack([frames.owners[query], frames.owners[found], np.full(len(query), zoom), offsets], axis=1))
    table = np.concatenate(votes)
    table = table[np.lexsort(table.T[::-1])]
    firsts = np.flatnonzero(np.any(np.diff(table, axis=0, prepend=-1), axis=1))
    return table[firsts], np.diff(firsts, append=len(table))


def _verify(alignment: _Alignment, videos: Sequence[HashedFrames]) -> DuplicatePair:
    full, cropped = videos[alignment.full], videos[alignment.cropped]
    offset_s = alignment.offset * OFFSET_STEP_S
    nearest = np.searchsorted(full.times_s, cropped.times_s + offset_s)
    around = nearest[:, np.newaxis] + np.arange(-ADJACENT_FRAMES - 1, ADJACENT_FRAMES + 1)
    candidates = full.hashes[np.clip(around, 0, len(full) - 1), alignment.zoom]
    distances = np.bitwise_count(candidates ^ cropped.hashes[:, :1])
    distances[(around < 0) | (around >= len(full))] = HASH_BITS
    of_shorter = np.sort(distances.min(axis=1))[: min(len(full), len(cropped))]
    share = float((of_shorter <= MAX_DISTANCE).mean())
    return DuplicatePair(alignment.full, alignment.cropped, share, float(of_shorter.mean()), offset_s)
