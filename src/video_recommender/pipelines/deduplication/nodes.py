"""Find videos that repeat others, and say which videos count."""

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
from video_recommender.similarity.duplicate_search import DeduplicationOptions, find_repetitions
from video_recommender.similarity.originals import merge_groups, name_originals, rank_videos
from video_recommender.similarity.perceptual_hash import VERSION as HASHING_VERSION
from video_recommender.similarity.perceptual_hash import ZOOMS, HashedFrames, hash_pictures
from video_recommender.storage.digests import fingerprint

HASH_COLUMNS = [f"zoom_{100 * zoom:.0f}" for zoom in ZOOMS]


def hash_frames(
    frames: Partitions[FrameFolder],
    stored_frame_hashes: Partitions[DataFrame[FrameHashes]],
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Hash every frame, so that frames that look alike can be found.

    Args:
        frames: the frames of each video.
        stored_frame_hashes: the hashes that earlier runs have left.
        workers: see `WorkerOptions`.

    Yields:
        The hashes of one video at a time.
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
    """Find the videos that repeat another one: copies in another size or encoding, crops and parts.

    Args:
        frame_hashes: the hashes of each video's frames.
        video_manifest: the length and size of each video: of two, the longer and then the larger is the original.
        options: see `DeduplicationOptions`.

    Returns:
        A row per copy.
    """
    hashed = {video_id: video for block in frame_hashes.usable().blocks() for video_id, video in _by_video(block)}
    described = video_manifest.set_index("video_id").reindex(list(hashed)).reset_index()
    copies = name_originals(find_repetitions(list(hashed.values()), options), rank_videos(described))
    names = list(hashed)
    rows = [
        {
            "video_id": names[video],
            "repeats": names[copy.original],
            "matched_share": copy.matched_share,
            "offset_s": copy.offset_s,
        }
        for video, copy in sorted(copies.items())
    ]
    return NearDuplicates.validate(pd.DataFrame(rows, columns=list(NearDuplicates.to_schema().columns)))


def select_corpus(
    video_manifest: DataFrame[VideoManifest], near_duplicates: DataFrame[NearDuplicates], options: DeduplicationOptions
) -> DataFrame[Corpus]:
    """Say which videos count, and which belong together.

    Args:
        video_manifest: every video.
        near_duplicates: those that repeat another one.
        options: see `DeduplicationOptions`.

    Returns:
        A row per usable video.
    """
    usable = video_manifest[video_manifest["status"] == "ok"].set_index("video_id")
    repeats = near_duplicates.set_index("video_id")["repeats"].reindex(usable.index)
    repeats = repeats.where(repeats.isin(usable.index))  # duplicates may be those of an earlier run
    corpus = usable[["category", "title"]].assign(
        group=merge_groups(usable["group"], repeats),
        repeats=repeats,
        is_used=repeats.isna() | (not options.keep_out),
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
    return Made(cast("DataFrame[FrameHashes]", table), {"hashes": len(hashed)})  # checked where it is saved


def _times_s(record: PartitionRecord) -> NDArray[np.float64]:
    details = record.details
    if details.get("times_s"):
        return np.array(str(details["times_s"]).split(","), dtype=np.float64)
    return np.arange(int(details["frames"] or 0)) / float(details["frames_per_second"] or 1)


def _by_video(block: pd.DataFrame) -> Iterator[tuple[str, HashedFrames]]:
    """Cut a block of `Partitions.blocks` into its videos, those without any hash included."""
    owners = block["video_id"].cat
    counts = np.bincount(owners.codes, minlength=len(owners.categories))
    frames, times_s = block["frame"].to_numpy(np.int64), block["time_s"].to_numpy(np.float64)
    hashes = block[HASH_COLUMNS].to_numpy(np.uint64)
    for video_id, end, count in zip(owners.categories, np.cumsum(counts).tolist(), counts.tolist(), strict=True):
        rows = slice(end - count, end)
        yield video_id, HashedFrames(frames[rows], times_s[rows], hashes[rows])
