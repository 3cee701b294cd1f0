"""Find near-duplicate videos and select the corpus."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import PartitionRecord, Partitions, PartitionUpdates
from video_recommender.incremental.updates import Made, Planned, bring_up_to_date
from video_recommender.media.frames import FrameFolder
from video_recommender.schemas import Corpus, FrameHashes, NearDuplicates, VideoManifest
from video_recommender.similarity.duplicates import (
    DeduplicationOptions,
    assign_originals,
    find_duplicate_pairs,
    merge_groups,
    rank_videos,
)
from video_recommender.similarity.perceptual_hash import VERSION as HASHING_VERSION
from video_recommender.similarity.perceptual_hash import ZOOMS, HashedFrames, hash_pictures
from video_recommender.storage.digests import fingerprint

HASH_COLUMNS = [f"zoom_{100 * zoom:.0f}" for zoom in ZOOMS]


def hash_frames(
    frames: Partitions[FrameFolder],
    stored_frame_hashes: Partitions[DataFrame[FrameHashes]],
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Compute the perceptual hashes of every frame.

    Args:
        frames: the frames of each video.
        stored_frame_hashes: the hashes of previous runs.
        workers: see `WorkerOptions`.

    Yields:
        The hashes of one video.
    """
    planned = {
        video_id: Planned(
            fingerprint(HASHING_VERSION, stored.record.fingerprint),
            _Task(stored.load(), _times_s(stored.record)),
        )
        for video_id, stored in frames.usable().items()
    }
    yield from bring_up_to_date(planned, stored_frame_hashes, _hash, workers, "Hashing frames")


def find_near_duplicates(
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    video_manifest: DataFrame[VideoManifest],
    options: DeduplicationOptions,
) -> DataFrame[NearDuplicates]:
    """Find near duplicates: copies in another size or encoding, cropped copies and excerpts.

    Args:
        frame_hashes: hashes of the frames of each video.
        video_manifest: duration and resolution of each video: the longest, then the largest video is the original.
        options: see `DeduplicationOptions`.

    Returns:
        A row per duplicate.
    """
    hashed = {video_id: video for block in frame_hashes.usable().blocks() for video_id, video in _by_video(block)}
    names = list(hashed)
    videos = video_manifest.set_index("video_id").reindex(names).reset_index()
    duplicates = assign_originals(find_duplicate_pairs(list(hashed.values()), options), rank_videos(videos))
    rows = [
        (names[video], names[duplicate.original], duplicate.matched_share, duplicate.offset_s)
        for video, duplicate in sorted(duplicates.items())
    ]
    return NearDuplicates.validate(pd.DataFrame(rows, columns=["video_id", "repeats", "matched_share", "offset_s"]))


def select_corpus(
    video_manifest: DataFrame[VideoManifest], near_duplicates: DataFrame[NearDuplicates], options: DeduplicationOptions
) -> DataFrame[Corpus]:
    """List the usable videos with their groups, and mark near duplicates that are excluded.

    A duplicate belongs to the group of its original. Duplicates whose original is no longer usable are ordinary videos.
    """
    usable = video_manifest[video_manifest["status"] == "ok"].set_index("video_id")
    originals = near_duplicates.set_index("video_id")["repeats"].reindex(usable.index)
    originals = originals.where(originals.isin(usable.index))
    corpus = usable[["category", "title"]].assign(
        group=merge_groups(usable["group"], originals),
        repeats=originals,
        is_used=originals.isna() | (not options.exclude_duplicates),
    )
    return Corpus.validate(corpus.reset_index()[list(Corpus.to_schema().columns)])


@dataclass(frozen=True)
class _Task:
    frames: FrameFolder
    times_s: NDArray[np.float64]


def _hash(task: _Task) -> Made[DataFrame[FrameHashes]]:
    hashed = hash_pictures(task.frames.pictures(), task.times_s)
    hashes = {column: hashed.hashes[:, zoom] for zoom, column in enumerate(HASH_COLUMNS)}
    table = pd.DataFrame({"frame": hashed.frames, "time_s": hashed.times_s, **hashes})
    return Made(cast("DataFrame[FrameHashes]", table), {"hashes": len(hashed)})  # validated when it is saved


def _times_s(record: PartitionRecord) -> NDArray[np.float64]:
    details = record.details
    if details.get("times_s"):
        return np.array(str(details["times_s"]).split(","), dtype=np.float64)
    return np.arange(int(details["frames"] or 0)) / float(details["frames_per_second"] or 1)


def _by_video(block: pd.DataFrame) -> Iterator[tuple[str, HashedFrames]]:
    """Split a block of `Partitions.blocks` into videos, including those without hashes."""
    owners = block["video_id"].cat
    counts = np.bincount(owners.codes, minlength=len(owners.categories))
    frames, times_s = block["frame"].to_numpy(np.int64), block["time_s"].to_numpy(np.float64)
    hashes = block[HASH_COLUMNS].to_numpy(np.uint64)
    for video_id, end, count in zip(owners.categories, np.cumsum(counts).tolist(), counts.tolist(), strict=True):
        rows = slice(end - count, end)
        yield video_id, HashedFrames(frames[rows], times_s[rows], hashes[rows])
