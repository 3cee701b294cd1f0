"""Sample square frames from each video."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import Video
from video_recommender.schemas import FrameManifest, VideoManifest


@dataclass(frozen=True)
class ExtractedFrames:
    """The frames of a video, and properties such as the number and times of the frames."""

    frames: EncodedFrames
    properties: Mapping[str, Any]


def select_usable_videos(videos: Partitions[Video], video_manifest: DataFrame[VideoManifest]) -> Partitions[Video]:
    """Select the videos with status `ok`, which excludes byte-identical duplicates."""
    return videos.restrict(video_manifest.loc[video_manifest["status"] == "ok", "video_id"])


@depends_on("av", "opencv-python-headless")
def extract_frames(video: Video, options: PreprocessingOptions) -> ExtractedFrames:
    """Sample the frames of a video, or raise a `VideoError`."""
    sampled = sample_frames(video, options)
    properties: dict[str, Any] = {"frames": len(sampled.frames)}
    if sampled.shot_numbers:
        properties["shots"] = sampled.shots
        properties["shot_numbers"] = ",".join(map(str, sampled.shot_numbers))
        properties["times_s"] = ",".join(f"{time_s:g}" for time_s in sampled.times_s)
    else:
        properties["frames_per_second"] = options.frames_per_second
    return ExtractedFrames(sampled.frames, properties)


def summarise_frames(frames: Partitions[FrameFolder]) -> DataFrame[FrameManifest]:
    """Create the manifest of the frames. The fingerprint of a video is the digest of its frames."""
    columns = [*FrameManifest.to_schema().columns, "digest"]
    manifest = frames.manifest(columns, key="video_id")
    texts = manifest[["shot_numbers", "times_s"]].astype(object).fillna("")
    manifest = manifest.fillna({"frames": 0}).assign(**texts, fingerprint=manifest["digest"])
    return FrameManifest.validate(manifest.drop(columns="digest"))
