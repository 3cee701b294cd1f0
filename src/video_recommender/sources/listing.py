"""Where videos come from: each source lists the videos it can give, and how to get each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict

from video_recommender.incremental.partitions import Partitions, StoredPartition
from video_recommender.media.clip_rendering import ClipOptions, ClipRecipe, plan_clips, render_clip
from video_recommender.media.video import Video, VideoBytes, VideoError, VideoLink
from video_recommender.sources.folder import FolderVideo, list_folder, printable
from video_recommender.sources.metadata import Publication
from video_recommender.sources.photos import Photo, PhotoLibrary, list_photo_folder
from video_recommender.sources.web_options import LEFT_OUT, YoutubeOptions
from video_recommender.storage.digests import fingerprint


class FolderOptions(BaseModel):
    """Videos of one's own: a folder with a sub-folder per category, on a disk or in an object store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | str | None = None
    copy_files: bool = False


class PhotosOptions(BaseModel):
    """Photos of one's own: a folder with a sub-folder per category, from which clips are rendered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = None


class IngestionOptions(BaseModel):
    """Where the videos come from (parameters_ingestion.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["demo", "photos", "folder", "youtube"] = "demo"
    folder: FolderOptions = FolderOptions()
    photos: PhotosOptions = PhotosOptions()
    clips: ClipOptions = ClipOptions()
    youtube: YoutubeOptions = YoutubeOptions()


@dataclass(frozen=True)
class OfferedVideo:
    """A video that a source can give.

    Attributes:
        video_id: `<category>/<slug>`.
        category: its category as the source names it; None where it has none.
        fingerprint: changes whenever the source would give other bytes.
        publication: its title for people, and what else is known of it where a site publishes it.
        source: where it comes from: a path, or the name of the source.
        group: what it shares with others, so that they must not straddle a split.
        photos: the photos that it shows, comma-separated; empty if it was not rendered.
        fetch: picklable; gets the video, in a worker, or raises what has kept it from being had.
    """

    video_id: str
    category: str | None
    fingerprint: str
    publication: Publication
    source: str
    group: str
    photos: str
    fetch: Callable[[], VideoBytes | VideoLink]


def offer_videos(
    options: IngestionOptions, demo_photos: PhotoLibrary, downloads: Partitions[Video], seed: int
) -> list[OfferedVideo]:
    """List every video that the chosen source can give.

    Args:
        options: see `IngestionOptions`.
        demo_photos: the photos of the demo corpus; fetched only if the demo is chosen.
        downloads: what was downloaded, and what could not be; of use only if the web is chosen.
        seed: what rendered clips are drawn from.

    Raises:
        ValueError: if the source has no path, no such folder or nothing in it, or the seed is not a whole number.
    """
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"The seed must be a whole number from 0, not {seed!r}")
    match options.source:
        case "demo":
            return _offer_clips(demo_photos.fetch(), "demo", options.clips, seed)
        case "photos":
            photos = list_photo_folder(Path(_chosen(options.photos.path, "photos")).expanduser())
            return _offer_clips(photos, "photos", options.clips, seed)
        case "folder":
            videos = list_folder(_chosen(options.folder.path, "folder"))
            return [_offer_file(video, options.folder) for video in videos]
        case "youtube":
            return [
                _offer_download(video_id, stored)
                for video_id, stored in downloads.items()
                if stored.record.details.get("category") in options.youtube.categories
                and stored.record.status not in LEFT_OUT
            ]


def _offer_clips(photos: Iterable[Photo], source: str, options: ClipOptions, seed: int) -> list[OfferedVideo]:
    return [
        OfferedVideo(
            video_id=recipe.video_id,
            category=recipe.category,
            fingerprint=recipe.fingerprint,
            publication=Publication(recipe.title),
            source=source,
            group=recipe.group,
            photos=recipe.photos,
            fetch=partial(_render, recipe),
        )
        for recipe in plan_clips(photos, options, seed)
    ]


def _offer_file(video: FolderVideo, options: FolderOptions) -> OfferedVideo:
    return OfferedVideo(
        video_id=video.video_id,
        category=video.category,
        fingerprint=fingerprint(video.fingerprint, options.copy_files),
        publication=Publication(printable(video.path.stem)),
        source=video.name,
        group=video.group,
        photos="",
        fetch=partial(VideoLink, video.path, options.copy_files),
    )


def _offer_download(video_id: str, stored: StoredPartition[Video]) -> OfferedVideo:
    record = stored.record
    file = stored.load() if record.is_ok else None
    told: dict[str, Any] = {field.name: record.details[field.name] for field in fields(Publication)}
    return OfferedVideo(
        video_id=video_id,
        category=str(record.details["category"]),
        fingerprint=fingerprint(record.status, record.error, dict(record.details), str(file and file.path)),
        publication=Publication(**told),
        source=str(record.details["source"]),
        group=str(record.details["group"]),
        photos="",
        fetch=partial(VideoLink, file.path) if file else partial(_refuse, record.status, record.error),
    )


def _refuse(status: str, error: str) -> NoReturn:
    raise VideoError(status, error)


def _render(recipe: ClipRecipe) -> VideoBytes:
    return VideoBytes(render_clip(recipe))


def _chosen(path: Path | str | None, source: str) -> str:
    if path is None:
        raise ValueError(
            f"The source '{source}' needs a folder: "
            f"--params=ingestion.source={source},ingestion.{source}.path=/your/folder"
        )
    return str(path)
