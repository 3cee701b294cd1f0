"""Find the videos and describe each."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import Detail, Partitions, PartitionUpdates, records_table
from video_recommender.incremental.updates import Made, Planned, bring_up_to_date
from video_recommender.media.probe import VERSION as PROBE_VERSION
from video_recommender.media.probe import VideoProperties, probe_video
from video_recommender.media.video import Video, VideoBytes, VideoFile, VideoLink, video_from_path
from video_recommender.schemas import DownloadReport, VideoManifest
from video_recommender.sources.download_report import report_downloads
from video_recommender.sources.listing import IngestionOptions, list_source_videos
from video_recommender.sources.metadata import SourceVideo
from video_recommender.sources.photos import PhotoLibrary
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_options import WebOptions
from video_recommender.storage.digests import fingerprint


def download_videos(
    web_access: WebAccess, stored_downloads: Partitions[Video], options: IngestionOptions, seed: int
) -> Iterator[PartitionUpdates]:
    """Download videos of the web, if that is the chosen source; else leave what was downloaded as it is.

    Args:
        web_access: how the web is reached.
        stored_downloads: what earlier runs have downloaded, and what they could not.
        options: see `IngestionOptions`.
        seed: what the pauses between requests are drawn from.

    Yields:
        One video at a time, `VideoLink`, so that it is saved as soon as it is there; one that could not be had has a
        record that says why, and no content.
    """
    yield {}
    if options.source == "youtube":
        from video_recommender.sources.web_download import (
            download_categories,
        )  # here: it imports all of yt-dlp

        records = {video_id: stored.record for video_id, stored in stored_downloads.items()}
        yield from download_categories(options.youtube, web_access, records, seed)


def summarise_downloads(downloads: Partitions[Video], options: IngestionOptions) -> DataFrame[DownloadReport]:
    """Tell how far each category has come; without a row where nothing is to be downloaded."""
    asked = options.youtube if options.source == "youtube" else WebOptions()
    return report_downloads({video_id: stored.record for video_id, stored in downloads.items()}, asked)


def collect_videos(
    demo_photos: PhotoLibrary,
    downloads: Partitions[Video],
    stored_videos: Partitions[Video],
    options: IngestionOptions,
    seed: int,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Get every video that the source offers, and look into each.

    Args:
        demo_photos: the photos from which the demo corpus is rendered; not fetched unless it is asked for.
        downloads: the videos of the web, and what could not be had; looked at only if they are the source.
        stored_videos: the videos that earlier runs have left.
        options: see `IngestionOptions`.
        seed: what the rendered clips are drawn from.
        workers: see `WorkerOptions`.

    Yields:
        One video at a time, `VideoBytes` or `VideoLink`, so that it is saved as soon as it is there. A file that is
        not a usable video has a record that says why, and no content.
    """
    planned = {
        offered.video_id: Planned(fingerprint(PROBE_VERSION, offered.digest), offered, _known(offered))
        for offered in list_source_videos(options, demo_photos, downloads, seed)
    }
    yield from bring_up_to_date(planned, stored_videos, _collect, workers, "Collecting videos")


def describe_videos(videos: Partitions[Video]) -> DataFrame[VideoManifest]:
    """List every video with its properties, and mark the files that repeat another one byte for byte.

    Raises:
        ValueError: if not a single video is usable.
    """
    manifest = _mark_duplicates(records_table(videos, list(VideoManifest.to_schema().columns)))
    if not (manifest["status"] == "ok").any():
        raise ValueError(_no_usable_video(manifest))
    return VideoManifest.validate(manifest)


def _collect(offered: SourceVideo) -> Made[VideoBytes | VideoLink]:
    content = offered.fetch()
    properties = _probe(content)
    return Made(content, vars(properties))


def _probe(content: VideoBytes | VideoLink) -> VideoProperties:
    if isinstance(content, VideoLink):
        return probe_video(video_from_path(content.target))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "video.mp4")
        file.write_bytes(content.content)
        return probe_video(VideoFile(file))


def _known(offered: SourceVideo) -> dict[str, Detail]:
    return {
        "category": offered.category,
        "source": offered.source,
        "group": offered.group,
        "photos": offered.photos,
        **vars(offered.metadata),
    }


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
    return f"Not one of {len(manifest)} files is a usable video ({reasons}): name another source"
