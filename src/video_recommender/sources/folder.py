"""Find the videos in a folder of your own, one sub-folder per category."""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Final

from slugify import slugify
from upath import UPath

from video_recommender.incremental.partitions import RECORDS
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.paths import StoragePath, parse_path

VIDEO_SUFFIXES: Final = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpe"}
    | {".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
"""Files with other names are not taken for videos."""

UNLABELLED: Final = "unlabelled"
"""Stands for the category in the `video_id` of a video that has none."""

SLUG_LENGTH: Final = 80
"""Longest slug, in characters, before a digest is added."""

_DIGEST_STEP: Final = 6
_RESERVED: Final = re.compile(r"con|prn|aux|nul|com\d|lpt\d")  # no file can have these names on Windows
_WAY_OUT: Final = "name a folder of videos with --params=ingestion.folder.path=…"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderVideo:
    """One video file of a folder.

    Attributes:
        path: where it lies, absolute, or in an object store.
        category: name of the top sub-folder that it lies in; None for files directly in the folder.
        video_id: `<category slug>/<slug>`: ASCII, safe as a path everywhere, unique also where case does not count.
        fingerprint: digest of path, size and time of change, or of what an object store tells of it; it differs when
            the file was replaced.
        group: what it belongs with: the videos of one folder within a category, else the video alone.
    """

    path: StoragePath
    category: str | None
    video_id: str
    fingerprint: str
    group: str

    @property
    def name(self) -> str:
        """The path as text that any file can hold, also where its bytes are not Unicode."""
        return printable(str(self.path))


def list_folder(folder: Path | str) -> list[FolderVideo]:
    """List the videos of a folder, in order of `video_id`.

    A video in a deeper folder belongs to the category at the top, and with the others of that folder: they are one
    group. Hidden files are left out; links are followed, but not in circles.

    Args:
        folder: its sub-folders are the categories; a path, or the URL of an object store.

    Raises:
        ValueError: if it does not exist, is not a folder, cannot be read, holds no video, or is where this project
            itself keeps videos.
    """
    root = parse_path(str(folder))
    files = _list_store(root) if isinstance(root, UPath) else _list_disk(root := root.absolute())
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise ValueError(f"The folder {root} holds no video ({len(files)} other files): {_WAY_OUT}")
    logger.info("%s holds %d videos; %d other files are left out", root, len(videos), len(files) - len(videos))
    identifiers = video_ids(videos)
    listed = [
        FolderVideo(
            path=root / video,
            category=_category(video),
            video_id=identifiers[video],
            fingerprint=files[video],
            group=_group(video) or identifiers[video],
        )
        for video in videos
    ]
    return sorted(listed, key=lambda video: video.video_id)


def video_ids(relative_paths: Sequence[PurePath]) -> dict[PurePath, str]:
    """Give every file a `video_id`, independent of their order.

    Args:
        relative_paths: distinct, relative to the folder that is listed.

    Returns:
        `<category slug>/<slug>` by path. Names whose slugs are equal all get a digest of their path.
    """
    by_category: dict[str | None, list[PurePath]] = {}
    for path in relative_paths:
        by_category.setdefault(_category(path), []).append(path)
    names = {category: category for category in by_category if category is not None}
    folders: dict[str | None, str] = {None: UNLABELLED}
    folders.update(unique_slugs(names, reserved=frozenset({UNLABELLED})))
    identifiers: dict[PurePath, str] = {}
    for category, paths in by_category.items():
        stems = {path.as_posix(): path.stem for path in paths}
        slugs = unique_slugs(stems)
        identifiers.update({path: f"{folders[category]}/{slugs[path.as_posix()]}" for path in paths})
    return identifiers


def unique_slugs(names: Mapping[str, str], reserved: frozenset[str] = frozenset()) -> dict[str, str]:
    """Turn names into distinct slugs: lower-case ASCII letters, digits and inner dashes.

    Args:
        names: what to turn into slugs, by what tells the names apart.
        reserved: slugs that are not to be given as they are.

    Returns:
        Slugs by the same keys. Where they would be equal or reserved, each gets `-` and six or more hexadecimal digits
        of its key's SHA-256.
    """
    plain = {key: slugify(printable(name), max_length=SLUG_LENGTH) or "untitled" for key, name in names.items()}
    digits = {key: _DIGEST_STEP if slug in reserved or _RESERVED.fullmatch(slug) else 0 for key, slug in plain.items()}
    while True:
        slugs = {key: _with_digest(slug, key, digits[key]) for key, slug in plain.items()}
        uses = Counter(slugs.values())
        if len(uses) == len(slugs):
            return slugs
        digits = {key: digits[key] + (_DIGEST_STEP if uses[slug] > 1 else 0) for key, slug in slugs.items()}


def _with_digest(slug: str, key: str, digits: int) -> str:
    return f"{slug}-{hashlib.sha256(os.fsencode(key)).hexdigest()[:digits]}" if digits else slug


def printable(name: str) -> str:
    """Replace what is not Unicode in a name, which no table could hold."""
    return os.fsencode(name).decode(errors="replace")


def _category(relative_path: PurePath) -> str | None:
    return relative_path.parts[0] if len(relative_path.parts) > 1 else None


def _group(relative_path: PurePath) -> str:
    return printable("/".join(relative_path.parts[:2])) if len(relative_path.parts) > 2 else ""


def _list_disk(root: Path) -> dict[PurePath, str]:
    """The files below a folder with their fingerprints."""
    if not root.exists():
        raise ValueError(f"The folder {root} does not exist: {_WAY_OUT}")
    if not root.is_dir():
        raise ValueError(f"{root} is a file, not a folder: {_WAY_OUT}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise ValueError(f"The folder {root} may not be read: change its permissions, or {_WAY_OUT}")
    if any((above / RECORDS).is_dir() for above in (root.resolve(), *root.resolve().parents)):
        raise ValueError(f"{root} is where this project keeps its own copies and links: {_WAY_OUT}")
    return {file.relative_to(root): _listing_fingerprint(file) for file in _walk(root, frozenset())}


def _list_store(root: UPath) -> dict[PurePath, str]:
    """The objects below a folder of an object store with their fingerprints; a thousand are told at a time."""
    objects = root.fs.find(root.path, detail=True)
    if not objects:
        raise ValueError(f"The folder {root} does not exist, or is empty: {_WAY_OUT}")
    files = {PurePosixPath(name).relative_to(root.path): str(told) for name, told in objects.items()}
    if any(RECORDS in file.parts for file in files):
        raise ValueError(f"{root} is where this project keeps its own copies and links: {_WAY_OUT}")
    return {
        file: fingerprint(str(root / file), told)
        for file, told in files.items()
        if not any(part.startswith(".") for part in file.parts)
    }


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above or (folder / RECORDS).is_dir():
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        logger.warning("%s is left out: %s", folder, error.strerror)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, above | {real})
        elif entry.is_file() or not entry.exists():  # a broken link is a video that is missing; a pipe is none
            yield entry


def _listing_fingerprint(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return fingerprint(str(path), None)
    return fingerprint(str(path), status.st_size, status.st_mtime_ns)
