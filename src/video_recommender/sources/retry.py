"""Retry transient errors with exponential backoff, and stop requests to sites that are out of reach."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_errors import OFFLINE_STATUSES, UNREACHABLE_STATUSES, WebError, classify_error
from video_recommender.sources.web_options import is_search, site_of
from video_recommender.sources.ytdlp_client import Deadline

T = TypeVar("T")

BACKOFF_S: Final = 2.0
"""First pause in seconds; it doubles with each attempt, with a jitter of 50 %."""

MAX_PAUSE_S: Final = 300.0
"""A video whose server requests a longer pause is left to the next run."""

MAX_CONSECUTIVE_FAILURES: Final = 3
"""Single videos are out of reach for reasons of their own; three in a row mean that the site or the network is."""

logger = logging.getLogger(__name__)


class RetryPolicy:
    """Retries with exponential backoff and jitter within the deadline of a video; honours Retry-After."""

    def __init__(self, retries: int, access: WebAccess, deadline: Deadline, seed: int) -> None:
        self._retries = retries
        self._access = access
        self._deadline = deadline
        self._random = random.Random(seed)

    def call(self, action: Callable[[WebError | None], T]) -> T:
        """Call a function until it succeeds.

        Args:
            action: gets the error of the previous attempt.

        Raises:
            WebError: if the error is permanent, or the last attempt failed.
            OSError: if the disk is full or may not be written to.
        """
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
            logger.info("%s: retry in %.0f s", previous.reason, pause_s)
            time.sleep(pause_s)
            attempt += 1

    def backoff_s(self, n: int) -> float:
        """Draw the pause after attempt `n`, counted from 0, in seconds; yt-dlp passes `n` by name."""
        return min(MAX_PAUSE_S, BACKOFF_S * 2.0**n * self._random.uniform(0.5, 1.5))

    def fragment_backoff_s(self, error: Exception | None, attempt: int) -> float:
        """Compute the pause after an attempt to fetch a fragment of a stream, in seconds.

        Raises:
            Exception: the given error if there must be no further attempt; yt-dlp itself would only report its text.
        """
        requested_s = classify_error(error, self._access).retry_after_s if error else None
        pause_s = requested_s or self.backoff_s(attempt)
        if error and not self._may_wait(attempt, pause_s):
            raise error
        return pause_s

    def _may_wait(self, attempt: int, pause_s: float) -> bool:
        return attempt < self._retries and pause_s <= min(MAX_PAUSE_S, self._deadline.remaining_s)


class CircuitBreaker:
    """Stops requests to a site, or to all sites, after consecutive failures."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()
        self._failed_sites: list[str] = []
        self._site_of_search: dict[str, str] = {}

    def is_open(self, url: str) -> bool:
        """Return whether the site of a URL or search gets no more requests."""
        return self._failures[self._site(url)] >= MAX_CONSECUTIVE_FAILURES

    def record(self, url: str, source: str, status: str) -> None:
        """Record the status of a video that was found by a source (search or URL)."""
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
            logger.warning("No more requests to %s in this run: %d failures in a row", site, self._failures[site])

    def is_open_for_all(self, sources: Iterable[str]) -> bool:
        """Return whether several sites failed in a row, or no remaining source may be requested."""
        return len(self._failed_sites) >= MAX_CONSECUTIVE_FAILURES or all(self.is_open(source) for source in sources)

    def _site(self, url: str) -> str:
        site = site_of(url)
        return self._site_of_search.get(site, site)
