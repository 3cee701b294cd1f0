"""Make sane what a site tells of a video: it may tell anything, and one odd video must not stop a run."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from yt_dlp.utils import unsmuggle_url

from video_recommender.sources.web_access import without_users
from video_recommender.sources.web_options import smaller_side
from video_recommender.storage.digests import fingerprint

Told = Mapping[str, Any]
"""What yt-dlp tells of a video or a list of videos: https://github.com/yt-dlp/yt-dlp#output-template."""

FIRST_DAY: Final = date(1990, 1, 1)
"""Nothing was on the web before; an older date is a mistake."""

_TEXTS: Final = frozenset(
    {"title", "uploader", "uploader_id", "channel", "channel_id", "license", "webpage_url", "thumbnail"}
)
_LARGEST_NUMBER: Final = 2**63 - 1


def made_sane(told: Told, without_secrets: Callable[[str], str]) -> dict[str, Any]:
    """Leave out what cannot be.

    Args:
        told: as a site tells it: of a video, of a list, or of an entry of a list.
        without_secrets: hides what must not be seen; a site may repeat a cookie in any text.

    Returns:
        The same; what is not of the right kind is not told at all. Each format, and what has none, also has its
        `smaller_side` in pixels and a `format_digest`, by which one format of a video is told from another.
    """
    cleaners: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(_TEXTS, lambda text: _text(text, without_secrets)),
        "tags": lambda tags: _tags(tags, without_secrets),
        "duration": _number,
        "view_count": _whole_number,
        "age_limit": _whole_number,
        "upload_date": _day,
        "timestamp": _timestamp,
        "formats": _formats,
    }
    cleaned = {name: clean(told[name]) for name, clean in cleaners.items() if told.get(name) is not None}
    others = {name: value for name, value in told.items() if name not in cleaners}
    return _format({**others, **{name: value for name, value in cleaned.items() if value is not None}})


def plain_url(url: str) -> str:
    """Without user and password, and without what yt-dlp's parts whisper to each other at the end of a URL."""
    return without_users(str(unsmuggle_url(url)[0]))


def _text(told: object, without_secrets: Callable[[str], str]) -> str | None:
    return without_secrets(plain_url(told)) if isinstance(told, str) else None


def _tags(told: object, without_secrets: Callable[[str], str]) -> list[str] | None:
    return [without_secrets(tag) for tag in told if isinstance(tag, str)] if isinstance(told, list | tuple) else None


def _number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, str | int | float):
        return None
    try:
        number = float(told)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _whole_number(told: object) -> int | None:
    number = _number(told)
    return int(number) if number is not None and number <= _LARGEST_NUMBER // 2 else None


def _day(told: object) -> str | None:
    try:
        day = datetime.strptime(str(told), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return f"{day:%Y%m%d}" if _can_be(day) else None


def _timestamp(told: object) -> int | None:
    seconds = _whole_number(told)
    try:
        return seconds if seconds is not None and _can_be(datetime.fromtimestamp(seconds, UTC)) else None
    except (ValueError, OverflowError, OSError):
        return None


def _can_be(moment: datetime) -> bool:
    return FIRST_DAY <= moment.date() <= (datetime.now(UTC) + timedelta(days=1)).date()


def _formats(told: object) -> list[dict[str, Any]] | None:
    if not isinstance(told, Iterable) or isinstance(told, str | Mapping):
        return None
    return [_format(form) for form in told if isinstance(form, Mapping)]


def _format(told: Told) -> dict[str, Any]:
    sizes = {name: _whole_number(told[name]) for name in ("width", "height") if told.get(name) is not None}
    sane = {**told, **sizes}
    kind = [str(sane.get(name)) for name in ("format_id", "protocol", "ext", "vcodec", "width", "height", "filesize")]
    return {**sane, "smaller_side": smaller_side(sane), "format_digest": fingerprint(kind)[:16]}
