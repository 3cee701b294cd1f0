"""List the videos of the configured source."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from video_recommender.media.frames import Photo
from video_recommender.media.video import Video, VideoError, VideoLink
from video_recommender.sources.folder import list_folder
from video_recommender.sources.metadata import SourceVideo, VideoMetadata
from video_recommender.sources.photos import ClipOptions, PhotoLibrary, list_photo_folder, plan_clips
from video_recommender.sources.web_options import EXCLUDED_STATUSES, WebOptions
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import Partitions, PartitionState


class FolderOptions(BaseModel, extra="forbid", frozen=True):
    """Videos in a folder, on a disk or in an object store, with a sub-folder per category."""

    path: Path | str | None = None
    copy_files: bool = False


class PhotosOptions(BaseModel, extra="forbid", frozen=True):
    """Photos in a folder with a sub-folder per category."""

    path: Path | None = None


class IngestionOptions(BaseModel, extra="forbid", frozen=True):
    """Source of the videos (parameters_ingestion.yml)."""

    source: Literal["demo", "photos", "folder", "youtube"] = "demo"
    folder: FolderOptions = FolderOptions()
    photos: PhotosOptions = PhotosOptions()
    clips: ClipOptions = ClipOptions()
    youtube: WebOptions = WebOptions()


def list_source_videos(
    options: IngestionOptions, demo_photos: PhotoLibrary, downloads: Partitions[Video], seed: int
) -> list[SourceVideo]:
    """List all videos of the configured source; the photos of the demo are downloaded only for it.

    Raises:
        ValueError: if the source has no path or no videos, or the seed is invalid.
    """
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"The seed must be a whole number from 0, not {seed!r}")
    match options.source:
        case "demo":
            return _clips(demo_photos.fetch(), "demo", options.clips, seed)
        case "photos":
            photos = list_photo_folder(Path(_required(options.photos.path, "photos")).expanduser())
            return _clips(photos, "photos", options.clips, seed)
        case "folder":
            return list_folder(_required(options.folder.path, "folder"), options.folder.copy_files)
        case "youtube":
            return [
                _downloaded_video(video_id, state, downloads)
                for video_id, state in downloads.states.items()
                if state.properties.get("category") in options.youtube.categories
                and state.status not in EXCLUDED_STATUSES
            ]


def _clips(photos: Iterable[Photo], source: str, options: ClipOptions, seed: int) -> list[SourceVideo]:
    return [
        SourceVideo(
            clip.video_id, clip.category, clip.digest, VideoMetadata(clip.title), source, clip.group, clip, clip.photos
        )
        for clip in plan_clips(photos, options, seed)
    ]


def _downloaded_video(video_id: str, state: PartitionState, downloads: Partitions[Video]) -> SourceVideo:
    known: dict[str, Any] = dict(state.properties)
    file = downloads.load(video_id) if state.is_ok else None
    digest = fingerprint(state.status, state.error, known, str(file and file.path))
    metadata = VideoMetadata(**{field.name: known[field.name] for field in fields(VideoMetadata)})
    content = VideoLink(file.path) if file else VideoError(state.status, state.error)
    return SourceVideo(video_id, known["category"], digest, metadata, known["source"], known["group"], content)


def _required(path: Path | str | None, source: str) -> str:
    if path is None:
        example = f"--params=ingestion.source={source},ingestion.{source}.path=/your/folder"
        raise ValueError(f"The source '{source}' needs a folder: {example}")
    return str(path)
