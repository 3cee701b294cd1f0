"""Collect the videos of the source and create their manifest."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, PartitionState, depends_on
from video_recommender.media.decoding import VideoProperties, probe_video
from video_recommender.media.video import Video, VideoBytes, VideoFile, VideoLink, video_from_path
from video_recommender.schemas import DownloadReport, VideoManifest
from video_recommender.sources.listing import IngestionOptions, list_source_videos
from video_recommender.sources.metadata import SourceVideo
from video_recommender.sources.photos import PhotoLibrary
from video_recommender.sources.web_options import WebAccess, WebOptions


@dataclass(frozen=True)
class CollectedVideo:
    """A usable video, and the fields of its `VideoProperties` as a mapping."""

    video: VideoBytes | VideoLink
    properties: Mapping[str, Any]


def download_videos(
    states: Mapping[str, PartitionState], web_access: WebAccess, options: IngestionOptions, seed: int
) -> Iterator[Mapping[str, Any]]:
    """Download videos one by one if the source is the web. `states` has the states of previous runs."""
    if options.source == "web":
        from video_recommender.sources.web_download import download_categories  # imports yt-dlp

        yield from download_categories(options.web, web_access, states, seed)


def summarise_downloads(downloads: Partitions[Video], options: IngestionOptions) -> DataFrame[DownloadReport]:
    """Count the usable and unusable downloads of each category. If the source is not the web, there are no rows."""
    web = options.web if options.source == "web" else WebOptions()
    outcomes = Counter((state.properties.get("category"), state.status) for state in downloads.states.values())
    rows = []
    for category in web.categories:
        counts = {status: count for (name, status), count in sorted(outcomes.items(), key=str) if name == category}
        usable, target = counts.pop("ok", 0), web.target_of(category)
        rows.append(
            {
                "category": category,
                "target": target,
                "usable": usable,
                "result": "target reached" if usable >= target else "sources exhausted",
                "not_usable": ", ".join(f"{count} {status}" for status, count in counts.items()),
            }
        )
    return DownloadReport.validate(pd.DataFrame(rows, columns=list(DownloadReport.to_schema().columns)))


def list_videos(
    demo_photos: PhotoLibrary, downloads: Partitions[Video], options: IngestionOptions, seed: int
) -> dict[str, SourceVideo]:
    """Return a mapping from `video_id` to the videos of the source, or raise a `ValueError` if there are no videos."""
    return {video.video_id: video for video in list_source_videos(options, demo_photos, downloads, seed)}


@depends_on("av", "opencv-python-headless")
def collect_video(source_video: SourceVideo) -> CollectedVideo:
    """Fetch a video from its source and probe it, or raise a `VideoError`."""
    video = source_video.fetch()
    properties = _probe(video)
    return CollectedVideo(replace(video, digest=properties.sha256), vars(properties))


def describe_videos(videos: Partitions[Video]) -> DataFrame[VideoManifest]:
    """Create the manifest and mark byte-identical files as duplicates. Raises a `ValueError` if no video is usable."""
    columns = list(VideoManifest.to_schema().columns)
    manifest = _mark_duplicates(videos.manifest(columns, key="video_id"))
    if not (manifest["status"] == "ok").any():
        raise ValueError(_no_usable_video(manifest))
    return VideoManifest.validate(manifest)


def _probe(video: VideoBytes | VideoLink) -> VideoProperties:
    if isinstance(video, VideoLink):
        return probe_video(video_from_path(video.target))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "video.mp4")
        file.write_bytes(video.content)
        return probe_video(VideoFile(file))


def _mark_duplicates(manifest: pd.DataFrame) -> pd.DataFrame:
    first = manifest.groupby("sha256")["video_id"].transform("first")
    repeated = first.notna() & (first != manifest["video_id"])
    return manifest.assign(
        status=manifest["status"].mask(repeated, "duplicate"),
        error=manifest["error"].mask(repeated, "It has the same bytes as " + first.fillna("")),
    )


def _no_usable_video(manifest: pd.DataFrame) -> str:
    few = zip(manifest["source"].head(3), manifest["error"].head(3), strict=True)
    reasons = "; ".join(error if error.startswith(source) else f"{source}: {error}" for source, error in few)
    return f"None of {len(manifest)} files is a usable video ({reasons}): set another ingestion.source"
