"""Cut each video into frames of one size and rate."""

from collections.abc import Iterator
from functools import partial

from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import Detail, Partitions, PartitionUpdates, records_table
from video_recommender.incremental.updates import Made, Planned, bring_up_to_date
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.sampling import VERSION as SAMPLING_VERSION
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import Video
from video_recommender.schemas import FrameManifest, VideoManifest
from video_recommender.storage.digests import fingerprint


def extract_frames(
    videos: Partitions[Video],
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
        video_id: Planned(fingerprint(SAMPLING_VERSION, sha256, options.digest), videos[video_id].load())
        for video_id, sha256 in zip(usable["video_id"], usable["sha256"], strict=True)
    }
    cut = partial(_cut, options=options)
    yield from bring_up_to_date(planned, stored_frames, cut, workers, "Cutting videos into frames")


def summarise_frames(frames: Partitions[FrameFolder]) -> DataFrame[FrameManifest]:
    """Tell what became of each video's frames."""
    manifest = records_table(frames, list(FrameManifest.to_schema().columns))
    texts = manifest[["shot_numbers", "times_s"]].astype(object).fillna("")
    return FrameManifest.validate(manifest.fillna({"frames": 0}).assign(**texts))


def _cut(video: Video, options: PreprocessingOptions) -> Made[EncodedFrames]:
    sampled = sample_frames(video, options)
    details: dict[str, Detail] = {"frames": len(sampled.frames)}
    if sampled.shot_numbers:
        details["shots"] = sampled.shots
        details["shot_numbers"] = ",".join(map(str, sampled.shot_numbers))
        details["times_s"] = ",".join(f"{time_s:g}" for time_s in sampled.times_s)
    else:
        details["frames_per_second"] = options.frames_per_second
    return Made(sampled.frames, details)
