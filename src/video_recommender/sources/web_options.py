"""Which videos of the web make up each category, and which of them are wanted."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from video_recommender.sources.metadata import upload_day
from video_recommender.sources.web_access import without_users

LEFT_OUT: Final = frozenset({"filtered", "live"})
"""The statuses of videos that are left out before they are fetched."""

_SEARCH: Final = re.compile(r"(?P<site>[a-z0-9]+search(date)?)(?P<count>[0-9]*|all):(?P<words>.*\S.*)")
"""yt-dlp's way to name a search, such as `ytsearch50:cats`."""


def _dated(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


class WebCategory(BaseModel):
    """Where the videos of one category come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[str, ...] = ()
    """Searches (`ytsearch50:cats`; without a number, as many results as are needed), and URLs of videos, playlists,
    channels or pages with videos."""
    urls_file: Path | None = None
    """A text file with a source per line; lines that begin with # do not count."""
    target: PositiveInt | None = None
    """How many usable videos to get; null: as many as `youtube.target` says."""


class WebFilters(BaseModel):
    """Which videos are wanted; what a site does not tell of a video does not count against it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_seconds: NonNegativeFloat = 5.0
    max_seconds: PositiveFloat | None = 1200.0
    licences: tuple[str, ...] = ()
    viewer_age: NonNegativeInt | None = None
    uploaded_after: Annotated[date | None, BeforeValidator(_dated)] = None
    min_height: PositiveInt = 144


class WebManners(BaseModel):
    """How a site is treated, so that it does not close its door."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retries: NonNegativeInt = 4
    backoff_s: NonNegativeFloat = 2.0
    longest_wait_s: NonNegativeFloat = 300.0
    sleep_between_videos_s: tuple[NonNegativeFloat, NonNegativeFloat] = (10.0, 20.0)
    sleep_between_requests_s: NonNegativeFloat = 0.75
    bytes_per_second: PositiveInt | None = None
    timeout_s: PositiveFloat = 20.0
    video_timeout_s: PositiveFloat = 600.0
    failures_in_a_row: PositiveInt = 3


class YoutubeOptions(BaseModel):
    """Videos of the web, fetched with yt-dlp from any site that it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    categories: Mapping[str, WebCategory] = Field(default_factory=dict)
    target: PositiveInt = 100
    seconds: PositiveFloat = 30.0
    height: PositiveInt = 240
    max_height: PositiveInt = 360
    max_megabytes: PositiveFloat = 200.0
    protocols: tuple[str, ...] = ("http", "https")
    ask_again: bool = False
    filters: WebFilters = WebFilters()
    manners: WebManners = WebManners()

    def target_of(self, category: str) -> int:
        """How many usable videos a category is to have."""
        return self.categories[category].target or self.target


def list_sources(category: str, wanted: WebCategory, protocols: tuple[str, ...]) -> list[str]:
    """List what a category's videos are looked for in, without repeats.

    Args:
        category: its name, for errors.
        wanted: what the parameters say of it.
        protocols: what a URL may begin with.

    Returns:
        URLs, and searches in yt-dlp's form; a search without a number goes on for as long as results are taken.

    Raises:
        ValueError: if there are none, the file cannot be read, or one is neither a search nor such a URL.
    """
    named = [*wanted.sources, *(_read_sources(category, wanted.urls_file) if wanted.urls_file else ())]
    if not named:
        raise ValueError(f"The category {category} has no source: name some under ingestion.youtube.categories")
    return list(dict.fromkeys(_checked(category, source.strip(), protocols) for source in named))


def is_allowed(url: str, protocols: tuple[str, ...]) -> bool:
    """Tell whether a URL is one of the web and not, say, of a file of this machine."""
    parts = parts_of(url)
    return parts.scheme.lower() in protocols and bool(parts.hostname)


def is_search(source: str) -> bool:
    """Tell a search from a URL."""
    return bool(_SEARCH.fullmatch(source))


def site_of(source: str) -> str:
    """Name the server that a URL is of; of a search, the prefix: only yt-dlp knows its server."""
    search = _SEARCH.fullmatch(source)
    return search["site"] if search else parts_of(source).netloc.rpartition("@")[2].lower()


def parts_of(url: str) -> SplitResult:
    """Take a URL to pieces; one that is none, such as `http://[`, has none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def smaller_side(form: Mapping[str, Any]) -> int | None:
    """Tell the width or height of a format, in pixels, whichever is less: what 240p means for an upright video too."""
    return min((form[name] for name in ("width", "height") if form.get(name)), default=None)


def is_live(told: Mapping[str, Any]) -> bool:
    """Tell whether a video is still being broadcast, or has yet to be."""
    return bool(told.get("is_live")) or told.get("live_status") in {"is_live", "is_upcoming"}


def why_unwanted(told: Mapping[str, Any], filters: WebFilters) -> str:
    """Tell what keeps a video from being wanted.

    Args:
        told: what the site tells of the video, in yt-dlp's names; the entry of a list tells less than its own page.
        filters: see `WebFilters`.

    Returns:
        A phrase; empty if nothing does.
    """
    return next(_objections(told, filters), "")


def _objections(told: Mapping[str, Any], filters: WebFilters) -> Iterator[str]:
    seconds, licence = told.get("duration"), told.get("license")
    if seconds is not None and seconds < filters.min_seconds:
        yield f"it lasts {seconds:g} s, less than {filters.min_seconds:g}"
    if seconds is not None and filters.max_seconds is not None and seconds > filters.max_seconds:
        yield f"it lasts {seconds:g} s, more than {filters.max_seconds:g}"
    if filters.licences and licence not in filters.licences and (licence or _is_whole(told)):
        yield f"its licence is {licence or 'not told'}"
    if filters.viewer_age is not None and (told.get("age_limit") or 0) > filters.viewer_age:
        yield f"it is for viewers from {told['age_limit']} years on"
    uploaded = upload_day(told)
    if filters.uploaded_after and uploaded and uploaded <= filters.uploaded_after:
        yield f"it was uploaded on {uploaded}"
    lines = max(filter(None, map(smaller_side, told.get("formats") or ())), default=None)
    if lines is not None and lines < filters.min_height:
        yield f"it has {lines} lines, less than {filters.min_height}"


def _is_whole(told: Mapping[str, Any]) -> bool:
    """Whether this was told by the video's own page, not by a list that links to it."""
    return told.get("_type", "video") == "video" and ("url" in told or "formats" in told)


def _checked(category: str, source: str, protocols: tuple[str, ...]) -> str:
    search = _SEARCH.fullmatch(source)
    if search and search["site"] in _known_searches():
        return f"{search['site']}{search['count'] or 'all'}:{search['words']}"
    if is_allowed(source, protocols):
        return source
    allowed = " or ".join(f"{protocol}://" for protocol in sorted(protocols))
    raise ValueError(
        f"The source {without_users(source)!r} of the category {category} is neither a search such as ytsearch50:cats "
        f"nor a URL that begins with {allowed}"
    )


@cache
def _known_searches() -> frozenset[str]:
    from yt_dlp.extractor import gen_extractor_classes  # here: it imports more than a thousand modules

    return frozenset(key for site in gen_extractor_classes() if (key := getattr(site, "_SEARCH_KEY", None)))


def _read_sources(category: str, file: Path) -> list[str]:
    try:
        lines = file.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The file of URLs {file} of the category {category} cannot be read ({error}): "
            "name a text file with a URL per line"
        ) from error
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
