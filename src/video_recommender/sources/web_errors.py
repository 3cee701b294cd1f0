"""Classify errors of yt-dlp, retry transient ones with exponential backoff, and stop requests to unreachable sites."""

import errno
import logging
import random
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError, YoutubeDLError

from video_recommender.media.video import VideoError
from video_recommender.sources.metadata import one_line
from video_recommender.sources.web_options import EXCLUDED_STATUSES, WebAccess, is_search, site_of

# Errors of the network or the site, not of the video
UNREACHABLE_STATUSES: Final = frozenset({"unreachable", "rate_limited"})
# Errors that may be transient: the next run requests these videos again
RETRIED_STATUSES: Final = UNREACHABLE_STATUSES | {"incomplete", "timed_out", "failed", "crashed", "live"}
# Errors that depend on the options: these videos are requested again when the options change
OPTION_STATUSES: Final = frozenset({"filtered", "no_format", "too_large"})
# Errors found without a request, which do not indicate the state of the network
OFFLINE_STATUSES: Final = EXCLUDED_STATUSES | {"invalid_url"}

REMEDIES: Final = {
    "filtered": "to include it, change ingestion.web.filters",
    "no_format": "to include it, increase ingestion.web.max_height",
    "too_large": "to include it, increase ingestion.web.max_megabytes",
    "unsupported": "use a page on which yt-dlp can find a video",
    "invalid_url": "use an http or https URL",
}

_REASONS: Final = {
    "unreadable": "the downloaded file is not a video",
    "audio_only": "the downloaded file has sound but no video stream",
    "empty": "the downloaded file is empty",
}
_STATUS_OF_CODE: Final = {
    429: "rate_limited",
    403: "failed",  # video sites also use this code for expired URLs and suspected bots
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
_PERMISSION_ERRORS: Final = frozenset({errno.EACCES, errno.EPERM})  # without a file name, from a firewall

BACKOFF_S: Final = 2.0  # first pause, seconds; pauses double with each attempt and have a jitter of 50 %
MAX_PAUSE_S: Final = 300.0  # seconds; after a longer Retry-After, the next run requests the video
# One failure may be specific to a video; three consecutive failures indicate a problem of the site or the network
MAX_CONSECUTIVE_FAILURES: Final = 3

T = TypeVar("T")

logger = logging.getLogger(__name__)


class WebError(Exception):
    """Raised if a download fails. `reason` contains no secrets. `retry_after_s` is the pause that a server requests."""

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
        """Convert to a `VideoError` whose message contains the URL and the remedy."""
        again = "in the next run" if self.retry else "only with --params=ingestion.web.retry_failed=true"
        remedy = REMEDIES.get(self.status, f"it is requested again {again}")
        return VideoError(self.status, f"{url}: {_REASONS.get(self.status, self.reason)}; {remedy}")


def classify_error(error: Exception, access: WebAccess) -> WebError:
    """Classify and log an error of yt-dlp or a downloaded file. Raises the cause if the disk is full or read-only."""
    chain = list(_chain(error))
    for cause in chain:
        is_denied = isinstance(cause, OSError) and cause.errno in _PERMISSION_ERRORS and cause.filename is not None
        if is_denied or (isinstance(cause, OSError) and cause.errno in _DISK_ERRORS):
            raise cause
    is_expected = any(isinstance(cause, VideoError | YoutubeDLError) for cause in chain)
    text = access.redact("".join(traceback.format_exception(error)))
    logger.log(logging.DEBUG if is_expected else logging.WARNING, "%s", text)
    status = _status(chain)
    waits = (_retry_after_s(cause) for cause in chain if isinstance(cause, HTTPError))
    return WebError(status, access.redact(_reason(chain, status)), next(waits, None))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, which yt-dlp stores in three attributes."""
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
    text = " ".join(map(str, chain))
    by_type = filter(None, map(_status_of, chain))
    by_text = (status for pattern, status in _STATUS_OF_TEXT if pattern.search(text))
    otherwise = "unavailable" if any(getattr(error, "expected", False) for error in chain) else "failed"
    return next(by_type, "") or next(by_text, otherwise)


def _status_of(error: BaseException) -> str:
    if isinstance(error, VideoError):
        return error.status
    if isinstance(error, HTTPError):
        return _STATUS_OF_CODE.get(error.status, "unavailable")
    return next((status for kind, status in _STATUS_OF_TYPE if isinstance(error, kind)), "")


def _reason(chain: list[BaseException], status: str) -> str:
    kinds = VideoError | ExtractorError | TransportError | HTTPError
    main = next((error for error in chain if isinstance(error, kinds)), chain[0])
    name, reason = type(main).__name__, next(filter(None, map(_text, (main, *chain))), "")
    if isinstance(main, VideoError) or status not in {"unsupported", "failed"}:
        return reason or name
    if status == "unsupported":  # yt-dlp's text recommends programs that this project does not use
        return "no downloadable video was found"
    return f"{name}: {reason}" if reason else name


def _text(error: BaseException) -> str:
    text = error.orig_msg if isinstance(error, ExtractorError) else str(error)
    return one_line(_NOISE.sub("", text or "")).rstrip(". ")


def _retry_after_s(error: HTTPError) -> float | None:
    """Parse the Retry-After header, in seconds or as a date (RFC 9110, 10.2.3)."""
    value = (error.response.headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


class Deadline:
    """Time limit of one video in seconds, over all requests, retries and pauses."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._end_s = float("inf")

    @property
    def remaining_s(self) -> float:
        """Remaining time in seconds."""
        return self._end_s - time.monotonic()

    def start(self, remaining_s: float | None = None) -> None:
        """Start the time limit of a video, or resume it with its remaining seconds."""
        self._end_s = time.monotonic() + (self._limit_s if remaining_s is None else remaining_s)

    def check(self) -> None:
        """Raise a `VideoError` with status `timed_out` if no time remains."""
        if self.remaining_s <= 0:
            raise self.exceeded()

    def exceeded(self) -> VideoError:
        """Return the error for an exceeded limit."""
        return VideoError("timed_out", f"the download took more than {self._limit_s:g} s")


class RetryPolicy:
    """Retries requests with exponential backoff, jitter and Retry-After pauses within the deadline of a video."""

    def __init__(self, retries: int, access: WebAccess, deadline: Deadline, seed: int) -> None:
        self._retries = retries
        self._access = access
        self.deadline = deadline
        self._random = random.Random(seed)

    def call(self, action: Callable[[WebError | None], T]) -> T:
        """Call `action` with the error of the previous attempt until it succeeds, or raise the last `WebError`."""
        previous: WebError | None = None
        attempt = 0
        while True:
            try:
                return action(previous)
            except Exception as error:  # noqa: BLE001 - extractors raise any exception on an unexpected page
                previous = classify_error(error, self._access)
            pause_s = previous.retry_after_s or self.backoff_s(attempt)
            if not previous.retry or not self._may_wait(attempt, pause_s):
                raise previous
            logger.info("Retrying in %.0f s: %s", pause_s, previous.reason)
            time.sleep(pause_s)
            attempt += 1

    def backoff_s(self, n: int) -> float:
        """Draw the pause after attempt `n` (0-based) in seconds. yt-dlp passes `n` as a keyword argument."""
        return min(MAX_PAUSE_S, BACKOFF_S * 2.0**n * self._random.uniform(0.5, 1.5))

    def fragment_backoff_s(self, error: Exception | None, attempt: int) -> float:
        """Compute the pause after an attempt to download a fragment of a stream, in seconds.

        Raises the error if there are no more attempts, because yt-dlp would report only the text of the error.
        """
        requested_s = classify_error(error, self._access).retry_after_s if error else None
        pause_s = requested_s or self.backoff_s(attempt)
        if error and not self._may_wait(attempt, pause_s):
            raise error
        return pause_s

    def _may_wait(self, attempt: int, pause_s: float) -> bool:
        return attempt < self._retries and pause_s <= min(MAX_PAUSE_S, self.deadline.remaining_s)


class CircuitBreaker:
    """Stops requests to a site, or to all sites, after consecutive failures."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()
        self._failed_sites: list[str] = []
        self._site_of_search: dict[str, str] = {}

    def is_open(self, url: str) -> bool:
        """Return whether requests to the site of a URL or search are stopped."""
        return self._failures[self._site(url)] >= MAX_CONSECUTIVE_FAILURES

    def record(self, url: str, source: str, status: str) -> None:
        """Record the status of a video that a source (search or URL) found."""
        if is_search(source) and not is_search(url):
            self._site_of_search[site_of(source)] = site_of(url)
        if status in OFFLINE_STATUSES:
            return
        site = self._site(url)
        if status not in UNREACHABLE_STATUSES:
            self._failed_sites.clear()
            del self._failures[site]
            return
        self._failures[site] += 1
        self._failed_sites.append(site)
        if self.is_open(url):
            self._failed_sites = [other for other in self._failed_sites if other != site]
            logger.warning("Stopping requests to %s in this run: %d consecutive failures", site, self._failures[site])

    def is_open_for_all(self, sources: Iterable[str]) -> bool:
        """Return whether several sites failed consecutively, or requests to all sources are stopped."""
        return len(self._failed_sites) >= MAX_CONSECUTIVE_FAILURES or all(self.is_open(source) for source in sources)

    def _site(self, url: str) -> str:
        site = site_of(url)
        return self._site_of_search.get(site, site)
