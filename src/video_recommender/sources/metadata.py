"""Metadata of videos: source videos, published metadata, and sanitized info dictionaries of yt-dlp."""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from video_recommender.media.clip_rendering import ClipRecipe, render_clip
from video_recommender.media.video import VideoBytes, VideoError, VideoLink
from video_recommender.sources.web_options import parse_url, strip_credentials
from video_recommender.storage.digests import fingerprint

MAX_TEXT_LENGTH: Final = 500  # characters kept of one field
EARLIEST_DATE: Final = date(1990, 1, 1)  # older dates are invalid, because the web did not exist
_MAX_INTEGER: Final = 2**62
_SPACES_AND_CONTROLS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
_TEXTS: Final = ("title", "uploader", "uploader_id", "channel", "channel_id", "license", "webpage_url", "thumbnail")
_FORMAT_FIELDS: Final = ("format_id", "protocol", "ext", "vcodec", "width", "height", "filesize")
# Extractors that use the file name as the identifier, which is not unique
_SITES_WITHOUT_IDS: Final = frozenset({"generic", "html5mediaembed"})
_LIST_TYPES: Final = frozenset({"playlist", "multi_video"})
_LINK_TYPES: Final = frozenset({"url", "url_transparent"})
# yt-dlp would start ffmpeg to extract the section; see `YtdlpClient`
_SECTION_FIELDS: Final = frozenset({"section_start", "section_end"})


@dataclass(frozen=True)
class VideoMetadata:
    """Published metadata of a video; see `VideoManifest`. Fields that the site does not publish are None."""

    title: str = ""
    uploader: str | None = None
    upload_date: str | None = None
    licence: str | None = None
    webpage_url: str | None = None
    view_count: int | None = None
    tags: str | None = None
    thumbnail: str | None = None


@dataclass(frozen=True)
class SourceVideo:
    """A video of a source; see `VideoManifest` for the columns."""

    video_id: str
    category: str | None
    digest: str  # changes if the bytes of the video change
    metadata: VideoMetadata
    source: str
    group: str
    content: VideoLink | ClipRecipe | VideoError  # the file, the recipe of a clip, or the error
    photos: str = ""

    @property
    def properties(self) -> dict[str, str | int | None]:
        """Columns of `VideoManifest` that are known before the video is fetched."""
        known = {"category": self.category, "source": self.source, "group": self.group, "photos": self.photos}
        return {**known, **vars(self.metadata)}

    def fetch(self) -> VideoBytes | VideoLink:
        """Return the video, or raise a `VideoError`."""
        match self.content:
            case VideoError():
                raise self.content
            case ClipRecipe():
                return VideoBytes(render_clip(self.content))
            case _:
                return self.content


@dataclass(frozen=True)
class VideoInfo:
    """A sanitized info dictionary (https://github.com/yt-dlp/yt-dlp#output-template) of a video, a link or a list."""

    fields: Mapping[str, Any]

    @property
    def is_link(self) -> bool:
        """Whether the dictionary describes a link to another page, which has separate metadata."""
        return self.fields.get("_type") in _LINK_TYPES

    @property
    def is_list(self) -> bool:
        """Whether the dictionary describes a list, such as a playlist or a channel."""
        return self.fields.get("_type") in _LIST_TYPES

    @property
    def is_complete(self) -> bool:
        """Whether the dictionary comes from the page of the video, not from a list that links to the video."""
        return self.fields.get("_type", "video") == "video" and not self.fields.keys().isdisjoint({"url", "formats"})

    @property
    def is_live(self) -> bool:
        """Whether the video is a current or future broadcast."""
        return bool(self.fields.get("is_live")) or self.fields.get("live_status") in {"is_live", "is_upcoming"}

    @property
    def upload_date(self) -> date | None:
        """Upload date that the site publishes, or else the date of the timestamp in UTC."""
        if self.fields.get("upload_date"):
            return date.fromisoformat(str(self.fields["upload_date"]))
        return datetime.fromtimestamp(self.fields["timestamp"], UTC).date() if self.fields.get("timestamp") else None

    @property
    def max_lines(self) -> int | None:
        """Largest height of all formats, in pixels; for portrait videos, the largest width."""
        return max(filter(None, map(smaller_side, self.fields.get("formats") or ())), default=None)

    @property
    def key(self) -> str:
        """Digest of the site and the identifier, or of the URL if the site has no unique identifiers."""
        site = str(self.fields.get("ie_key") or self.fields.get("extractor_key") or "Generic").lower()
        if site not in _SITES_WITHOUT_IDS and self.fields.get("id"):
            return _digest(f"{site} {self.fields['id']}")
        urls = [form["url"] for form in self.fields.get("formats") or () if "url" in form]
        candidates = (self.fields.get("url"), *urls, self.fields.get("webpage_url"), self.fields.get("id"))
        return url_key(str(next(filter(None, candidates), None)))

    @property
    def group(self) -> str:
        """Name of the group, composed of site and uploader, or empty if the uploader is unknown."""
        uploader = self.fields.get("channel_id") or self.fields.get("uploader_id") or self.fields.get("uploader")
        site = parse_url(str(self.fields.get("webpage_url") or "")).hostname or self.fields.get("extractor_key")
        return one_line(f"{site}: {uploader}") if uploader else ""

    @property
    def metadata(self) -> VideoMetadata:
        """Fields of the manifest, each on one line."""
        views = self.fields.get("view_count")
        tags = [one_line(str(tag)).replace(",", " ") for tag in self.fields.get("tags") or ()]
        return VideoMetadata(
            title=one_line(str(self.fields.get("title") or "")),
            uploader=_line_or_none(self.fields.get("uploader") or self.fields.get("channel")),
            upload_date=self.upload_date.isoformat() if self.upload_date else None,
            licence=_line_or_none(self.fields.get("license")),
            webpage_url=_line_or_none(strip_credentials(self.fields.get("webpage_url") or "")),
            view_count=views if isinstance(views, int) else None,
            tags=_line_or_none(",".join(tags)),
            thumbnail=_line_or_none(strip_credentials(self.fields.get("thumbnail") or "")),
        )

    def name(self, url: str) -> str:
        """Return the title, or else the file name in a URL."""
        parts = parse_url(plain_url(url))
        return self.metadata.title or Path(unquote(parts.path)).stem or parts.netloc or url


def sanitize_metadata(fields: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """Remove invalid fields from an info dictionary, and redact secrets, which a site can echo in them.

    The video and each format also get `smaller_side`, in pixels, and `format_digest`, which identifies a format of a
    video.
    """
    parsers: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(_TEXTS, lambda text: redact(plain_url(text)) if isinstance(text, str) else None),
        "tags": lambda tags: [redact(tag) for tag in tags if isinstance(tag, str)] if _is_sequence(tags) else None,
        "formats": lambda forms: (
            [_with_size(form) for form in forms if isinstance(form, Mapping)] if _is_sequence(forms) else None
        ),
        "duration": _number,
        "view_count": _integer,
        "age_limit": _integer,
        "upload_date": _date,
        "timestamp": _timestamp,
    }
    parsed = {name: parse(fields[name]) for name, parse in parsers.items() if fields.get(name) is not None}
    others = {name: value for name, value in fields.items() if name not in parsers and name not in _SECTION_FIELDS}
    return _with_size({**others, **{name: value for name, value in parsed.items() if value is not None}})


def smaller_side(form: Mapping[str, Any]) -> int | None:
    """Return the smaller of a format's width and height in pixels, which is the size in names such as 240p."""
    return min((form[name] for name in ("width", "height") if form.get(name)), default=None)


def url_key(url: str) -> str:
    """Compute the digest of a URL without its secrets."""
    return _digest(plain_url(url))


def plain_url(url: str) -> str:
    """Remove credentials, and the data that yt-dlp's extractors append to a URL."""
    from yt_dlp.utils import unsmuggle_url  # imported here because the other sources do not need yt-dlp

    return strip_credentials(str(unsmuggle_url(url)[0]))


def one_line(text: str) -> str:
    """Convert untrusted text to one line of limited length, without control characters."""
    return _SPACES_AND_CONTROLS.sub(" ", text.encode(errors="replace").decode()).strip()[:MAX_TEXT_LENGTH]


def _line_or_none(value: object) -> str | None:
    return one_line(str(value)) or None if value else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]


def _is_sequence(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | Mapping)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    with suppress(ValueError, OverflowError):
        return number if math.isfinite(number := float(value)) and number >= 0 else None
    return None


def _integer(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number < _MAX_INTEGER else None


def _date(value: object) -> str | None:
    with suppress(ValueError):
        moment = datetime.strptime(str(value), "%Y%m%d").replace(tzinfo=UTC)
        return f"{moment:%Y%m%d}" if _is_plausible(moment) else None
    return None


def _timestamp(value: object) -> int | None:
    seconds = _integer(value)
    with suppress(ValueError, OverflowError, OSError):
        return seconds if seconds is not None and _is_plausible(datetime.fromtimestamp(seconds, UTC)) else None
    return None


def _is_plausible(moment: datetime) -> bool:
    return EARLIEST_DATE <= moment.date() <= (datetime.now(UTC) + timedelta(days=1)).date()


def _with_size(fields: Mapping[str, Any]) -> dict[str, Any]:
    sized = {**fields, **{name: _integer(fields[name]) for name in ("width", "height") if name in fields}}
    identity = [str(sized.get(name)) for name in _FORMAT_FIELDS]
    return {**sized, "smaller_side": smaller_side(sized), "format_digest": fingerprint(identity)[:16]}
