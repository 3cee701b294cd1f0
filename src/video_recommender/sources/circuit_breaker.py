"""Tell a site that wants to be left alone from a network that is gone."""

import logging
from collections import Counter
from collections.abc import Iterable

from video_recommender.sources.web_errors import NOT_ASKED, OUT_OF_REACH
from video_recommender.sources.web_options import is_search, site_of

logger = logging.getLogger(__name__)


class Outage:
    """Counts what is out of reach, by site.

    Args:
        limit: a site is left alone after so many videos in a row that are out of reach, and the network is taken to be
            gone after so many in a row of several sites.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._of_site: Counter[str] = Counter()
        self._in_a_row: list[str] = []
        self._site_of_search: dict[str, str] = {}

    def is_shut(self, url: str) -> bool:
        """Whether the site of a URL, or of a search, is left alone."""
        return self._of_site[self._site(url)] >= self._limit

    def note(self, url: str, source: str, status: str) -> None:
        """Note what became of a video.

        Args:
            url: the video's.
            source: what it was found by.
            status: what became of it, in one word.
        """
        if is_search(source) and not is_search(url):
            self._site_of_search[site_of(source)] = site_of(url)
        if status in NOT_ASKED:
            return
        site = self._site(url)
        if status not in OUT_OF_REACH:
            self._in_a_row.clear()
            del self._of_site[site]
            return
        self._of_site[site] += 1
        self._in_a_row.append(site)
        if self.is_shut(url):
            self._in_a_row = [other for other in self._in_a_row if other != site]
            logger.warning("%s is left alone in this run: %d videos in a row were out of reach", site, self._limit)

    def is_total(self, sources: Iterable[str]) -> bool:
        """Whether nothing is left to ask.

        Args:
            sources: what has not been asked yet.
        """
        return len(self._in_a_row) >= self._limit or all(self.is_shut(source) for source in sources)

    def _site(self, url: str) -> str:
        site = site_of(url)
        return self._site_of_search.get(site, site)
