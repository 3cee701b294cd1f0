"""Cut each video into frames of one size and rate."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.fingerprints import fingerprint
from video_recommender.frame_folder import EncodedFrames, FrameFolder
from video_recommender.incremental import Made, Planned, bring_up_to_date
from video_recommender.parallel import WorkerOptions
from video_recommender.partitions import Partitions, PartitionUpdates
from video_recommender.pipelines.preprocessing.sampling import PreprocessingOptions, sample_frames
from video_recommender.schemas import FrameManifest, VideoManifest
from video_recommender.video_file import VideoFile

VERSION = 1
"""Raised when the same video and options would give other frames than before, so that they are cut again."""


def extract_frames(
    videos: Partitions[VideoFile],
    video_manifest: DataFrame[VideoManifest],
    stored_frames: Partitions[FrameFolder],
    options: PreprocessingOptions,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Cut every usable video into frames.

    Args:
        videos: where each video lies.
        video_manifest: which videos are usable, and the digest of each one's bytes.
        stored_frames: the frames that earlier runs have left.
        options: see `PreprocessingOptions`.
        workers: see `WorkerOptions`.

    Yields:
        The frames of one video at a time, `EncodedFrames`, so that they are saved as soon as they are known.
    """
    usable = video_manifest[video_manifest["status"] == "ok"]
    planned = {
        video_id: Planned(fingerprint(VERSION, sha256, options), videos[video_id].load())
        for video_id, sha256 in zip(usable["video_id"], usable["sha256"], strict=True)
    }
    cut = partial(_cut, options=options)
    yield from bring_up_to_date(planned, stored_frames, cut, workers, "Cutting videos into frames")


def summarise_frames(frames: Partitions[FrameFolder]) -> DataFrame[FrameManifest]:
    """Tell what became of each video's frames."""
    rows = [
        {
            "video_id": video_id,
            "status": stored.record.status,
            "error": stored.record.error,
            "frames": stored.record.details.get("frames", 0),
            "fingerprint": stored.record.fingerprint,
        }
        for video_id, stored in frames.items()
    ]
    return FrameManifest.validate(pd.DataFrame(rows, columns=list(FrameManifest.to_schema().columns)))


def _cut(video: VideoFile, options: PreprocessingOptions) -> Made[EncodedFrames]:
    frames = sample_frames(video, options)
    return Made(frames, {"frames": len(frames)})
