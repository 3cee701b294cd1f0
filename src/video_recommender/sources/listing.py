"""List the videos of the configured source: a folder with one sub-folder per category, photos, or downloads."""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Final, Literal

from pydantic import BaseModel
from slugify import slugify
from upath import UPath

from video_recommender.media.frames import Photo
from video_recommender.media.video import Video, VideoError, VideoLink
from video_recommender.sources.metadata import SourceVideo, VideoMetadata
from video_recommender.sources.photos import ClipOptions, PhotoLibrary, list_photo_folder, plan_clips
from video_recommender.sources.web_options import EXCLUDED_STATUSES, WebOptions
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import STATE_FOLDER, Partitions, PartitionState
from video_recommender.storage.paths import StoragePath, parse_path

VIDEO_SUFFIXES: Final = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpe"}
    | {".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
UNLABELLED: Final = "unlabelled"  # replaces the category in the `video_id` of videos without a category
MAX_SLUG_LENGTH: Final = 80  # characters, without a digest
_DIGEST_STEP: Final = 6
_RESERVED: Final = re.compile(r"con|prn|aux|nul|com\d|lpt\d")  # file names that Windows does not allow
REMEDY: Final = "name a folder of videos with --params=ingestion.folder.path=…"

logger = logging.getLogger(__name__)


class FolderOptions(BaseModel, extra="forbid", frozen=True):
    """Options for videos in a folder, on a disk or in an object store, with one sub-folder per category."""

    path: Path | str | None = None
    copy_files: bool = False


class PhotosOptions(BaseModel, extra="forbid", frozen=True):
    """Options for photos in a folder with one sub-folder per category."""

    path: Path | None = None


class IngestionOptions(BaseModel, extra="forbid", frozen=True):
    """Options of the video source (parameters_ingestion.yml)."""

    source: Literal["demo", "photos", "folder", "web"] = "demo"
    folder: FolderOptions = FolderOptions()
    photos: PhotosOptions = PhotosOptions()
    clips: ClipOptions = ClipOptions()
    web: WebOptions = WebOptions()


def list_source_videos(
    options: IngestionOptions, demo_photos: PhotoLibrary, downloads: Partitions[Video], seed: int
) -> list[SourceVideo]:
    """List all videos of the configured source, or raise a `ValueError` if the source is missing or empty."""
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"The seed must be a non-negative integer, not {seed!r}: set --params=seed=0")
    match options.source:
        case "demo":
            return _clips(demo_photos.fetch(), "demo", options.clips, seed)
        case "photos":
            photos = list_photo_folder(Path(_required(options.photos.path, "photos")).expanduser())
            return _clips(photos, "photos", options.clips, seed)
        case "folder":
            return list_folder(_required(options.folder.path, "folder"), options.folder.copy_files)
        case "web":
            return [
                _downloaded_video(video_id, state, downloads)
                for video_id, state in downloads.states.items()
                if state.properties.get("category") in options.web.categories and state.status not in EXCLUDED_STATUSES
            ]


def list_folder(folder: Path | str, copy_files: bool = False, remedy: str = REMEDY) -> list[SourceVideo]:
    """List the videos of a folder, on a disk or in an object store, sorted by `video_id`.

    The first folder level is the category. Videos in the same second-level folder form a group. Hidden files are
    ignored, and symbolic links are followed. Unusable folders raise a `ValueError` that ends with `remedy`.
    """
    root = parse_path(str(folder))
    digests = _list_store(root, remedy) if isinstance(root, UPath) else _list_disk(root := root.absolute(), remedy)
    videos = [file for file in digests if file.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise ValueError(f"The folder {root} contains no video ({len(digests)} other files): {remedy}")
    logger.info("%s contains %d videos; %d other files are ignored", root, len(videos), len(digests) - len(videos))
    identifiers = video_ids(videos)
    listed = [
        SourceVideo(
            video_id=identifiers[file],
            category=_category(file),
            digest=fingerprint(digests[file], copy_files),
            metadata=VideoMetadata(to_unicode(file.stem)),
            source=to_unicode(str(root / file)),
            group=_group(file) or identifiers[file],
            content=VideoLink(root / file, copy_files),
        )
        for file in videos
    ]
    return sorted(listed, key=lambda video: video.video_id)


def video_ids(relative_paths: Sequence[PurePath]) -> dict[PurePath, str]:
    """Assign a `video_id` (`<category slug>/<slug>`) to each path. The order of the paths has no effect."""
    by_category: dict[str | None, list[PurePath]] = {}
    for path in relative_paths:
        by_category.setdefault(_category(path), []).append(path)
    names = {category: category for category in by_category if category is not None}
    folders: dict[str | None, str] = {None: UNLABELLED}
    folders.update(unique_slugs(names, reserved=frozenset({UNLABELLED})))
    identifiers: dict[PurePath, str] = {}
    for category, paths in by_category.items():
        slugs = unique_slugs({path.as_posix(): path.stem for path in paths})
        identifiers.update({path: f"{folders[category]}/{slugs[path.as_posix()]}" for path in paths})
    return identifiers


def unique_slugs(names: Mapping[str, str], reserved: frozenset[str] = frozenset()) -> dict[str, str]:
    """Convert the values of a mapping to unique slugs of lower-case ASCII letters, digits and dashes, valid anywhere.

    Equal and reserved slugs get a suffix: `-` and six or more hexadecimal digits of the SHA-256 of the key.
    """
    plain = {key: slugify(to_unicode(name), max_length=MAX_SLUG_LENGTH) or "untitled" for key, name in names.items()}
    digits = {key: _DIGEST_STEP if slug in reserved or _RESERVED.fullmatch(slug) else 0 for key, slug in plain.items()}
    digests = {key: hashlib.sha256(os.fsencode(key)).hexdigest() for key in names}
    while True:
        slugs = {key: f"{slug}-{digests[key][: digits[key]]}".removesuffix("-") for key, slug in plain.items()}
        uses = Counter(slugs.values())
        if len(uses) == len(slugs):
            return slugs
        digits = {key: digits[key] + (_DIGEST_STEP if uses[slug] > 1 else 0) for key, slug in slugs.items()}


def to_unicode(name: str) -> str:
    """Replace undecodable bytes of a file name, because tables cannot store them."""
    return os.fsencode(name).decode(errors="replace")


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
        raise ValueError(f"The source '{source}' needs a folder: set {example}")
    return str(path)


def _category(relative_path: PurePath) -> str | None:
    return relative_path.parts[0] if len(relative_path.parts) > 1 else None


def _group(relative_path: PurePath) -> str:
    return to_unicode("/".join(relative_path.parts[:2])) if len(relative_path.parts) > 2 else ""


def _list_disk(root: Path, remedy: str) -> dict[PurePath, str]:
    """Return a mapping from the relative paths of all files in a folder and its sub-folders to digests."""
    if not root.is_dir():
        raise ValueError(f"{root} {'is a file, not a folder' if root.exists() else 'does not exist'}: {remedy}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise ValueError(f"The folder {root} cannot be read: change its permissions, or {remedy}")
    if any((parent / STATE_FOLDER).is_dir() for parent in (root.resolve(), *root.resolve().parents)):
        raise _managed_folder(root, remedy)
    return {file.relative_to(root): _file_digest(file) for file in _walk(root, frozenset())}


def _list_store(root: UPath, remedy: str) -> dict[PurePath, str]:
    """Return a mapping from the relative paths of all objects in a folder of an object store to digests."""
    objects = root.fs.find(root.path, detail=True)
    if not objects:
        raise ValueError(f"The folder {root} does not exist or is empty: {remedy}")
    files = {PurePosixPath(name).relative_to(root.path): str(metadata) for name, metadata in objects.items()}
    if any(STATE_FOLDER in file.parts for file in files):
        raise _managed_folder(root, remedy)
    return {
        file: fingerprint(str(root / file), metadata)
        for file, metadata in files.items()
        if not any(part.startswith(".") for part in file.parts)
    }


def _managed_folder(root: StoragePath, remedy: str) -> ValueError:
    return ValueError(f"{root} is a folder in which this project stores its own copies and links: {remedy}")


def _walk(folder: Path, parents: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in parents or (folder / STATE_FOLDER).is_dir():
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        logger.warning("Skipping folder %s: %s", folder, error.strerror)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, parents | {real})
        elif entry.is_file() or not entry.exists():  # a broken link counts as a missing video
            yield entry


def _file_digest(path: Path) -> str:
    with suppress(OSError):
        status = path.stat()
        return fingerprint(str(path), status.st_size, status.st_mtime_ns)
    return fingerprint(str(path), None)
