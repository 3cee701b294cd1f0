"""Classify errors of yt-dlp: status, reason, and whether to try again."""

import errno
import logging
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError, YoutubeDLError

from video_recommender.media.video import VideoError
from video_recommender.sources.metadata import one_line
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_options import EXCLUDED_STATUSES

UNREACHABLE_STATUSES: Final = frozenset({"unreachable", "rate_limited"})
"""Problems of the network or the site, not of the video."""

RETRIED_STATUSES: Final = UNREACHABLE_STATUSES | {"incomplete", "timed_out", "failed", "crashed", "live"}
"""Problems that may be transient: such videos are requested again in the next run."""

OPTION_STATUSES: Final = frozenset({"filtered", "no_format", "too_large"})
"""Problems that depend on the options: such videos are requested again when the options change."""

OFFLINE_STATUSES: Final = EXCLUDED_STATUSES | {"invalid_url"}
"""Problems that are found without a request, and so say nothing about the network."""

REMEDIES: Final = {
    "filtered": "change ingestion.youtube.filters if you want it",
    "no_format": "raise ingestion.youtube.max_height if you want it",
    "too_large": "raise ingestion.youtube.max_megabytes if you want it",
    "unsupported": "name a page that yt-dlp can find a video on",
    "invalid_url": "name an http or https URL",
}

_REASONS: Final = {
    "unreadable": "the downloaded file is no video",
    "audio_only": "the downloaded file has sound but no video stream",
    "empty": "the downloaded file is empty",
}
_STATUS_OF_CODE: Final = {
    429: "rate_limited",
    403: "failed",  # video sites also use it for expired addresses and suspected bots
    **dict.fromkeys((407, 408, 425, 500, 502, 503, 504), "unreachable"),
}
_STATUS_OF_TYPE: Final = (
    (UnsupportedError, "unsupported"),
    (GeoRestrictedError, "unavailable"),
    (ContentTooShortError, "incomplete"),
    (IncompleteRead, "incomplete"),
    (TransportError, "unreachable"),
)
_STATUS_OF_TEXT: Final = (
    (re.compile(r"rate.?limited|too many requests|confirm you.{1,3}re not a bot", re.I), "rate_limited"),
    (re.compile(r"requested format is not available|no video formats", re.I), "no_format"),
    (re.compile(r"more expected|content too short", re.I), "incomplete"),
    (re.compile(r"ffmpeg (could not be|is not)|DRM protected|is not supported by", re.I), "unsupported"),
    (re.compile(r"got error:", re.I), "unreachable"),  # yt-dlp reports interrupted transfers only as text
)
_NOISE: Final = re.compile(r"^(ERROR: )?\s*(\[[^\]]*\] )?(Got error: )?| ?\(caused by .*", re.DOTALL)
_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_PERMISSION_ERRORS: Final = frozenset({errno.EACCES, errno.EPERM})

logger = logging.getLogger(__name__)


class WebError(Exception):
    """A video that could not be downloaded: status in one word, reason without secrets, and Retry-After in seconds."""

    def __init__(self, status: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(status, reason, retry_after_s)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def retry(self) -> bool:
        """Whether the problem may be transient."""
        return self.status in RETRIED_STATUSES

    def to_video_error(self, url: str) -> VideoError:
        """Add the URL and what to do."""
        remedy = (
            "it is requested again in the next run"
            if self.retry
            else "it is requested again only with --params=ingestion.youtube.ask_again=true"
        )
        reason = _REASONS.get(self.status, self.reason)
        return VideoError(self.status, f"{url}: {reason}; {REMEDIES.get(self.status, remedy)}")


def classify_error(error: Exception, access: WebAccess) -> WebError:
    """Classify and log an error that was raised by yt-dlp or while the downloaded file was checked.

    Raises:
        OSError: if the disk is full or may not be written to, which is no problem of the video.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, OSError) and _is_disk_error(cause):
            raise cause
    is_expected = any(isinstance(cause, VideoError | YoutubeDLError) for cause in chain)
    text = access.redact("".join(traceback.format_exception(error)))
    logger.log(logging.DEBUG if is_expected else logging.WARNING, "%s", text)
    status = _status(chain)
    waits = (_retry_after_s(cause) for cause in chain if isinstance(cause, HTTPError))
    return WebError(status, access.redact(_reason(chain, status)), next(waits, None))


def _is_disk_error(error: OSError) -> bool:
    """A firewall denies connections with the same code, but without a file name."""
    return error.errno in _DISK_ERRORS or (error.errno in _PERMISSION_ERRORS and error.filename is not None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, which yt-dlp stores in three places."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        exc_info = getattr(current, "exc_info", None) or (None, None, None)
        queue += [exc_info[1], getattr(current, "cause", None), current.__cause__]


def _status(chain: list[BaseException]) -> str:
    if known := next(filter(None, map(_status_of, chain)), ""):
        return known
    text = " ".join(map(str, chain))
    for pattern, status in _STATUS_OF_TEXT:
        if pattern.search(text):
            return status
    return "unavailable" if any(getattr(error, "expected", False) for error in chain) else "failed"


def _status_of(error: BaseException) -> str:
    if isinstance(error, VideoError):
        return error.status
    if isinstance(error, HTTPError):
        return _STATUS_OF_CODE.get(error.status, "unavailable")
    return next((status for kind, status in _STATUS_OF_TYPE if isinstance(error, kind)), "")


def _reason(chain: list[BaseException], status: str) -> str:
    main = next(
        (error for error in chain if isinstance(error, VideoError | ExtractorError | TransportError | HTTPError)),
        chain[0],
    )
    name, reason = type(main).__name__, next(filter(None, map(_text, (main, *chain))), "")
    if isinstance(main, VideoError) or status not in {"unsupported", "failed"}:
        return reason or name
    if status == "unsupported":  # yt-dlp's own text recommends programs to install
        return "no video that can be downloaded was found there"
    return f"{name}: {reason}" if reason else name


def _text(error: BaseException) -> str:
    text = error.orig_msg if isinstance(error, ExtractorError) else str(error)
    return one_line(_NOISE.sub("", text or "")).rstrip(". ")


def _retry_after_s(error: HTTPError) -> float | None:
    """Parse the Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    value = (error.response.headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
