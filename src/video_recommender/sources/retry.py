"""Ask again for what may come after all, without haste: as long as there is time, and as a server wishes."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_errors import WebTrouble, explain_trouble
from video_recommender.sources.web_options import WebManners
from video_recommender.sources.ytdlp_client import Clock

T = TypeVar("T")

logger = logging.getLogger(__name__)


class GaveUp(Exception):  # noqa: N818 - it is no error yet: the video's record will tell
    """What was asked for did not come.

    Attributes:
        trouble: why.
    """

    def __init__(self, trouble: WebTrouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class Patience:
    """How often to ask again, and when.

    Args:
        manners: see `WebManners`.
        access: knows what must not be told.
        clock: knows how much time is left.
        seed: what the pauses are drawn from.
    """

    def __init__(self, manners: WebManners, access: WebAccess, clock: Clock, seed: int) -> None:
        self._manners = manners
        self._access = access
        self._clock = clock
        self._random = random.Random(seed)

    def ask(self, action: Callable[[WebTrouble | None], T]) -> T:
        """Try again what may pass, with growing, scattered pauses or those that the server wants.

        Args:
            action: is given what was wrong the time before.

        Raises:
            GaveUp: if it does not pass, or not soon enough.
            OSError: if the disk is full or may not be written to.
        """
        before: WebTrouble | None = None
        for attempt in range(self._manners.retries + 1):
            try:
                return action(before)
            except Exception as error:  # noqa: BLE001 - extractors raise whatever a page makes them raise
                before = trouble = explain_trouble(error, self._access)
            wait_s = trouble.wait_s or self.pause_s(attempt)
            if not trouble.is_passing or not self._may_wait(attempt, wait_s):
                break
            logger.info("%s: again in %.0f s", trouble.reason, wait_s)
            time.sleep(wait_s)
        raise GaveUp(trouble)

    def pause_s(self, n: int) -> float:
        """How long to wait after attempt `n`, counted from 0, in seconds; yt-dlp calls it by this name too."""
        manners = self._manners
        return min(manners.longest_wait_s, manners.backoff_s * 2.0**n * self._random.uniform(0.5, 1.5))

    def pause_after_s(self, refusal: Exception | None, n: int) -> float:
        """How long to wait after attempt `n` at a piece of a stream, in seconds.

        Raises:
            Exception: the refusal, if the piece is not to be asked for again; yt-dlp would tell of it in words only.
        """
        wait_s = (explain_trouble(refusal, self._access).wait_s if refusal else None) or self.pause_s(n)
        if refusal and not self._may_wait(n, wait_s):
            raise refusal
        return wait_s

    def _may_wait(self, n: int, wait_s: float) -> bool:
        return n < self._manners.retries and wait_s <= min(self._manners.longest_wait_s, self._clock.left_s)
