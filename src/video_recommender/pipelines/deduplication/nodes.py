"""Find near-duplicate videos and select the corpus."""

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import FrameFolder
from video_recommender.schemas import Corpus, FrameHashes, NearDuplicates, VideoManifest
from video_recommender.similarity.duplicates import (
    DeduplicationOptions,
    HashedFrames,
    assign_originals,
    find_duplicate_pairs,
    merge_groups,
    rank_videos,
)
from video_recommender.similarity.perceptual_hash import ZOOMS, hash_images
from video_recommender.storage.partitions import Property

HASH_COLUMNS = [f"zoom_{100 * zoom:.0f}" for zoom in ZOOMS]


@depends_on("imagehash", "opencv-python-headless")
def hash_frames(frames: FrameFolder) -> DataFrame[FrameHashes]:
    """Compute the perceptual hashes of the frames of a video, except frames of low contrast."""
    numbers, hashes = hash_images(frames.images())
    table = pd.DataFrame({"frame": numbers, **dict(zip(HASH_COLUMNS, hashes.T, strict=True))})
    return cast("DataFrame[FrameHashes]", table)  # validated when it is saved


def find_near_duplicates(
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    frames: Partitions[FrameFolder],
    video_manifest: DataFrame[VideoManifest],
    options: DeduplicationOptions,
) -> DataFrame[NearDuplicates]:
    """Find near duplicates: resized, re-encoded or cropped copies, and excerpts.

    The longest video is the original or, for equal lengths, the largest. The states of `frames` contain frame times.
    """
    current = frame_hashes.restrict(video_id for video_id in frame_hashes if video_id in frames)
    hashed = dict(video for block in current.blocks("video_id") for video in _by_video(block, frames))
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

    A near duplicate belongs to the group of its original, unless the original is no longer usable.
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


def _times_s(properties: Mapping[str, Property]) -> NDArray[np.float64]:
    """Return the time of each frame, in seconds."""
    if properties.get("times_s"):
        return np.array(str(properties["times_s"]).split(","), dtype=np.float64)
    return np.arange(int(properties["frames"] or 0)) / float(properties["frames_per_second"] or 1)


def _by_video(block: pd.DataFrame, frames: Partitions[FrameFolder]) -> Iterator[tuple[str, HashedFrames]]:
    """Split a block into the hashes of each video, including videos without hashes."""
    owners = block["video_id"].cat
    counts = np.bincount(owners.codes, minlength=len(owners.categories))
    numbers, hashes = block["frame"].to_numpy(np.int64), block[HASH_COLUMNS].to_numpy(np.uint64)
    for video_id, end, count in zip(owners.categories, np.cumsum(counts).tolist(), counts.tolist(), strict=True):
        rows = slice(end - count, end)
        times_s = _times_s(frames.states[video_id].properties)
        yield video_id, HashedFrames(times_s[numbers[rows] - 1], hashes[rows])
