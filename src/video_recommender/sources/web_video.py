"""A video of the web: as it was found, as it was fetched, and by what it is told from all others."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from slugify import slugify

from video_recommender.media.probe import VideoProperties
from video_recommender.media.video import VideoFile
from video_recommender.sources.metadata import Publication, one_line
from video_recommender.sources.sanitize_metadata import Told, plain_url
from video_recommender.sources.web_errors import WebTrouble
from video_recommender.sources.web_options import parts_of

_WITHOUT_IDENTIFIERS: Final = frozenset({"generic", "html5mediaembed"})
"""To these, two files of one name are the same video."""


@dataclass(frozen=True)
class WebVideo:
    """A video that was found, before it is fetched.

    Attributes:
        key: tells it from all others: a digest of site and identifier, or of its URL where the site gives none.
        url: where it was found; a search, where that itself has failed.
        told: what the site tells of it.
        asked: the key by which it was looked for, before its site was asked for its own.
        name: what people call it.
        link: what to ask its site for to be told of it anew; None if it is such a link itself.
        lists: the keys of the lists that it was found in.
        left_s: how much of a video's time finding it has left, in seconds.
        trouble: why it is none that can be fetched, if that is known already.
    """

    key: str
    url: str
    told: Told
    asked: str
    name: str = ""
    link: "WebVideo | None" = None
    lists: tuple[str, ...] = ()
    left_s: float | None = None
    trouble: WebTrouble | None = None

    @property
    def slug(self) -> str:
        """A name for files: ASCII, short, and unlike that of any other video."""
        return f"{slugify(self.name, max_length=60, word_boundary=True) or 'untitled'}-{self.key[:8]}"


@dataclass(frozen=True)
class FetchedVideo:
    """A video that was fetched.

    Attributes:
        file: where it lies until it is catalogued.
        group: whose it is: videos of one uploader must not straddle a split.
        publication: what the site tells of it.
        properties: what the file itself tells.
    """

    file: VideoFile
    group: str
    publication: Publication
    properties: VideoProperties


def key_of(told: Told) -> str:
    """Digest what tells a video from all others: site and identifier, or its URL where the site gives none."""
    site = str(told.get("ie_key") or told.get("extractor_key") or "Generic").lower()
    if site not in _WITHOUT_IDENTIFIERS and told.get("id"):
        return _digest(f"{site} {told['id']}")
    formats = [form["url"] for form in told.get("formats") or () if "url" in form]
    url = str(told.get("url") or next(iter(formats), None) or told.get("webpage_url") or told.get("id"))
    return key_of_url(url)


def key_of_url(url: str) -> str:
    """Digest a URL, which may hold what must not be seen."""
    return _digest(plain_url(url))


def group_of(told: Told) -> str:
    """Name site and uploader, whose videos must not straddle a split; empty if the uploader is not told."""
    uploader = told.get("channel_id") or told.get("uploader_id") or told.get("uploader")
    site = parts_of(str(told.get("webpage_url") or "")).hostname or told.get("extractor_key")
    return one_line(f"{site}: {uploader}") if uploader else ""


def name_of(told: Told, url: str) -> str:
    """Name a video as people do: by its title, or else by its file."""
    return one_line(str(told.get("title") or "")) or _last_part(url)


def _last_part(url: str) -> str:
    parts = parts_of(plain_url(url))
    return Path(unquote(parts.path)).stem or parts.netloc or url


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]
