"""What can go wrong on the way to a video of the web: whether it passes, and how to tell of it in one sentence."""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError

from video_recommender.media.video import VideoError
from video_recommender.sources.metadata import one_line
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_options import LEFT_OUT

OUT_OF_REACH: Final = frozenset({"unreachable", "rate_limited"})
"""What is wrong with the way to a video rather than with the video."""

PASSING: Final = OUT_OF_REACH | {"incomplete", "timed_out", "failed", "crashed", "live"}
"""What may be better another time: such videos are asked for again in the next run, all others are not."""

BY_CHOICE: Final = frozenset({"filtered", "no_format", "too_large", "refused"})
"""What depends on the parameters: asked for again when these change."""

NOT_ASKED: Final = LEFT_OUT | {"refused"}
"""What a video can be found to be without a request: it tells nothing of the network."""

ASK_AGAIN: Final = "it is not asked for again but with --params=ingestion.youtube.ask_again=true"

WAYS_OUT: Final = {
    "filtered": "change ingestion.youtube.filters if you want it",
    "no_format": "raise ingestion.youtube.max_height if you want it",
    "too_large": "raise ingestion.youtube.max_megabytes if you want it",
    "unsupported": "name a page that yt-dlp can find a video on",
    "refused": "name a URL of the web, or change ingestion.youtube.protocols",
}
"""What a user can do about it, by status."""

_PLAIN: Final = {
    "unreadable": "what came is no video",
    "audio_only": "what came has sound but no pictures",
    "empty": "what came is empty",
}
_STATUS_OF_CODE: Final = {
    429: "rate_limited",
    403: "failed",  # video sites also say so when an address has grown old or they are in doubt
    **dict.fromkeys((407, 408, 425, 500, 502, 503, 504), "unreachable"),
}
_STATUS_OF_KIND: Final = (
    (UnsupportedError, "unsupported"),
    (GeoRestrictedError, "unavailable"),
    (ContentTooShortError, "incomplete"),
    (IncompleteRead, "incomplete"),
    (TransportError, "unreachable"),
)
_STATUS_OF_WORDS: Final = (
    (re.compile(r"rate.?limited|too many requests|confirm you.{1,3}re not a bot", re.I), "rate_limited"),
    (re.compile(r"requested format is not available|no video formats", re.I), "no_format"),
    (re.compile(r"more expected|content too short", re.I), "incomplete"),
    (re.compile(r"ffmpeg (could not be|is not)|DRM protected|is not supported by", re.I), "unsupported"),
    (re.compile(r"got error:", re.I), "unreachable"),  # what a transfer died of is told in words only
)
_NOISE: Final = re.compile(r"^(ERROR: )?\s*(\[[^\]]*\] )?(Got error: )?| ?\(caused by .*", re.DOTALL)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True)
class WebTrouble:
    """Why a video could not be fetched.

    Attributes:
        status: in one word.
        reason: in a phrase, for people, without secrets.
        wait_s: how long the server has asked to be left alone, in seconds; None if it has not.
    """

    status: str
    reason: str
    wait_s: float | None = None

    @property
    def is_passing(self) -> bool:
        """Whether to try again makes sense."""
        return self.status in PASSING

    def in_words(self, url: str) -> str:
        """Tell of it in one sentence, with the way out."""
        way_out = WAYS_OUT.get(self.status, "it is asked for again in the next run" if self.is_passing else ASK_AGAIN)
        return f"{url}: {_PLAIN.get(self.status, self.reason)}; {way_out}"


def explain_trouble(error: BaseException, access: WebAccess) -> WebTrouble:
    """Tell what an error of yt-dlp, or of what is done to the file, means.

    Args:
        error: as it was raised.
        access: knows what must not be told.

    Returns:
        See `WebTrouble`.

    Raises:
        OSError: if the disk is full or may not be written to: that is not the video's trouble.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, OSError) and _is_of_disk(cause):
            raise cause
    status = _diagnose(chain)
    waits = (_retry_after(cause) for cause in chain if isinstance(cause, HTTPError))
    return WebTrouble(status, access.without_secrets(_reason(chain, status)), next(waits, None))


def _is_of_disk(error: OSError) -> bool:
    """A firewall denies connections in the same words, but names no file."""
    return error.errno in _FULL or (error.errno in _DENIED and error.filename is not None)


def _diagnose(chain: list[BaseException]) -> str:
    known = next(filter(None, map(_status_of, chain)), "")
    if known:
        return known
    told = " ".join(map(str, chain))
    for pattern, status in _STATUS_OF_WORDS:
        if pattern.search(told):
            return status
    return "unavailable" if any(getattr(error, "expected", False) for error in chain) else "failed"


def _status_of(error: BaseException) -> str:
    if isinstance(error, VideoError):
        return error.status
    if isinstance(error, HTTPError):
        return _STATUS_OF_CODE.get(error.status, "unavailable")
    return next((status for kind, status in _STATUS_OF_KIND if isinstance(error, kind)), "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it stems from: yt-dlp keeps them in three places."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        exc_info = getattr(current, "exc_info", None) or (None, None, None)
        waiting += [exc_info[1], getattr(current, "cause", None), current.__cause__]


def _reason(chain: list[BaseException], status: str) -> str:
    plainest = next(
        (error for error in chain if isinstance(error, VideoError | ExtractorError | TransportError | HTTPError)),
        chain[0],
    )
    reasons = (_words(error) for error in (plainest, *chain))
    reason = next(filter(None, reasons), "")
    name = type(plainest).__name__
    if status == "unsupported" and not isinstance(plainest, VideoError):  # yt-dlp tells what to install
        return "no video that can be fetched was found there"
    if status == "failed" and not isinstance(plainest, VideoError):
        return f"{name}: {reason}" if reason else name
    return reason or name


def _words(error: BaseException) -> str:
    words = error.orig_msg if isinstance(error, ExtractorError) else str(error)
    return one_line(_NOISE.sub("", words or "")).rstrip(". ")


def _retry_after(error: HTTPError) -> float | None:
    """Read the header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    told = error.response.headers.get("Retry-After") or ""
    if told.strip().isascii() and told.strip().isdecimal():  # other digits of Unicode are none to float()
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
