"""Find videos that repeat others, and say which videos count."""

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.incremental.partitions import Property
from video_recommender.media.frames import FrameFolder
from video_recommender.schemas import Corpus, FrameHashes, NearDuplicates, VideoManifest
from video_recommender.similarity.duplicate_search import DeduplicationOptions, find_repetitions
from video_recommender.similarity.originals import merge_groups, name_originals, rank_videos
from video_recommender.similarity.perceptual_hash import ZOOMS, HashedFrames, hash_pictures

HASH_COLUMNS = [f"zoom_{100 * zoom:.0f}" for zoom in ZOOMS]


@depends_on("imagehash", "opencv-python-headless")
def hash_frames(frames: FrameFolder) -> DataFrame[FrameHashes]:
    """Compute the perceptual hashes of a video's frames; frames without contrast have none."""
    hashed = hash_pictures(frames.pictures())
    table = pd.DataFrame({"frame": hashed.frames, **{column: hashed.hashes[:, n] for n, column in enumerate(HASH_COLUMNS)}})
    return cast("DataFrame[FrameHashes]", table)  # validated when it is saved


def find_near_duplicates(
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    frames: Partitions[FrameFolder],
    video_manifest: DataFrame[VideoManifest],
    options: DeduplicationOptions,
) -> DataFrame[NearDuplicates]:
    """Find the videos that repeat another one: copies in another size or encoding, crops and parts.

    Args:
        frame_hashes: the hashes of each video's frames.
        frames: when the frames were taken.
        video_manifest: the length and size of each video: of two, the longer and then the larger is the original.
        options: see `DeduplicationOptions`.

    Returns:
        A row per copy.
    """
    hashed = {
        video_id: video
        for block in frame_hashes.blocks(key="video_id")
        for video_id, video in _by_video(block, frames)
        if video_id in frames
    }
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


def _times_s(properties: Mapping[str, Property]) -> NDArray[np.float64]:
    if properties.get("times_s"):
        return np.array(str(properties["times_s"]).split(","), dtype=np.float64)
    return np.arange(int(properties["frames"] or 0)) / float(properties["frames_per_second"] or 1)


def _by_video(block: pd.DataFrame, frames: Partitions[FrameFolder]) -> Iterator[tuple[str, HashedFrames]]:
    """Split a block into the hashes of each video, those without any included."""
    owners = block["video_id"].cat
    counts = np.bincount(owners.codes, minlength=len(owners.categories))
    numbers, hashes = block["frame"].to_numpy(np.int64), block[HASH_COLUMNS].to_numpy(np.uint64)
    for video_id, end, count in zip(owners.categories, np.cumsum(counts).tolist(), counts.tolist(), strict=True):
        rows = slice(end - count, end)
        times_s = _times_s(frames.states[video_id].properties)
        yield video_id, HashedFrames(numbers[rows], times_s[numbers[rows] - 1], hashes[rows])
