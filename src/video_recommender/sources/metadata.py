"""What a site tells about a video that it publishes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from video_recommender.sources.web_access import without_users

LONGEST_TEXT: Final = 500
"""More characters of one field than that are not kept."""

_BLANKS_AND_CONTROLS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Publication:
    """What a site tells about a video; empty where it does not.

    Attributes:
        title: in one line.
        uploader: who has put it there.
        upload_date: when, as ISO 8601 (`2024-05-31`).
        licence: in the site's words.
        webpage_url: the page that shows it.
        view_count: how often it was watched.
        tags: comma-separated.
        thumbnail: URL of a picture of it.
    """

    title: str = ""
    uploader: str | None = None
    upload_date: str | None = None
    licence: str | None = None
    webpage_url: str | None = None
    view_count: int | None = None
    tags: str | None = None
    thumbnail: str | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Publication":
        """Pick it out of what yt-dlp has found, and make it safe to show: one line, no control characters."""
        views = told.get("view_count")
        tags = [one_line(str(tag)).replace(",", " ") for tag in told.get("tags") or ()]
        return cls(
            title=one_line(str(told.get("title") or "")),
            uploader=_text(told.get("uploader") or told.get("channel")),
            upload_date=day.isoformat() if (day := upload_day(told)) else None,
            licence=_text(told.get("license")),
            webpage_url=_text(without_users(told.get("webpage_url") or "")),
            view_count=views if isinstance(views, int) else None,
            tags=_text(",".join(tags)),
            thumbnail=_text(without_users(told.get("thumbnail") or "")),
        )


def upload_day(told: Mapping[str, Any]) -> date | None:
    """When a video was put there, by the calendar of the site or of Greenwich; None if that is not told."""
    if told.get("upload_date"):
        return date.fromisoformat(str(told["upload_date"]))
    return datetime.fromtimestamp(told["timestamp"], UTC).date() if told.get("timestamp") else None


def one_line(text: str) -> str:
    """Put a text that strangers have written into one line without control characters, of bounded length."""
    return _BLANKS_AND_CONTROLS.sub(" ", text.encode(errors="replace").decode()).strip()[:LONGEST_TEXT]


def _text(value: object) -> str | None:
    return one_line(str(value)) or None if value else None
