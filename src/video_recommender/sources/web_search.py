"""Find the videos of a search, a list or a page, and follow what leads to others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from video_recommender.media.video import VideoError
from video_recommender.sources.retry import GaveUp, Patience
from video_recommender.sources.sanitize_metadata import Told, made_sane
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_errors import WebTrouble, explain_trouble
from video_recommender.sources.web_options import YoutubeOptions, is_allowed, is_live, why_unwanted
from video_recommender.sources.web_video import WebVideo, key_of, key_of_url, name_of
from video_recommender.sources.ytdlp_client import BoundedSite, Clock

IsNeedless = Callable[[WebVideo], bool]
"""Tells of a video, or of a link to one, that it need not be looked at."""

DEEPEST_LIST: Final = 5
"""A channel holds tabs, which hold playlists, which hold videos; deeper lists are circles."""

_LISTS: Final = frozenset({"playlist", "multi_video"})
_LINKS: Final = frozenset({"url", "url_transparent"})
_OF_LINK: Final = frozenset(
    {"_type", "url", "ie_key", "id", "extractor", "extractor_key", "smaller_side", "format_digest"}
)
"""What is told of a link rather than of the video that it leads to."""


class WebFinder:
    """Asks sites for videos, and for no more of them than are taken.

    Args:
        site: whom to ask.
        clock: gives each page that leads to a video a video's time.
        patience: how often to ask again.
        options: see `YoutubeOptions`.
        access: see `WebAccess`.
    """

    def __init__(
        self, site: BoundedSite, clock: Clock, patience: Patience, options: YoutubeOptions, access: WebAccess
    ) -> None:
        self._site = site
        self._clock = clock
        self._patience = patience
        self._options = options
        self._access = access

    def find(self, source: str, is_needless: IsNeedless) -> Iterator[WebVideo]:
        """Find the videos of a search, a list, a page or a single URL, one by one, as they are asked for.

        Args:
            source: see `list_sources`.
            is_needless: see `IsNeedless`; such videos are left out.

        Yields:
            Videos; what cannot be read, and what is not wanted, has a `trouble`.

        Raises:
            OSError: if the disk is full or may not be written to.
        """
        key = key_of_url(source)
        yield from self._follow(WebVideo(key, source, {}, key, self._name({}, source)), is_needless, depth=0)

    def renewed(self, video: WebVideo) -> WebVideo:
        """Ask a video's site for it anew: the address of a file may be good for a short time only.

        Returns:
            What the site tells now; what it told before, if it does not tell of the video any more.

        Raises:
            Exception: whatever the site makes yt-dlp raise.
        """
        if video.link is None:
            return video
        left_s = self._clock.left_s
        found = self._unfold(self._extract(video.link), video.link, lambda _: False, DEEPEST_LIST)
        renewed = next((other for other in found if other.key == video.key and not other.trouble), video)
        self._clock.start(left_s)
        return renewed

    def _follow(self, link: WebVideo, is_needless: IsNeedless, depth: int) -> Iterator[WebVideo]:
        if is_needless(link):
            return
        trouble = self._objection(link, depth)
        if trouble is None:
            self._clock.start()
            try:
                told = self._patience.ask(lambda _: self._extract(link))
            except GaveUp as gave_up:
                trouble = gave_up.trouble
        if trouble:
            yield replace(link, trouble=trouble)
        else:
            yield from self._unfold(told, replace(link, left_s=self._clock.left_s), is_needless, depth)

    def _objection(self, link: WebVideo, depth: int) -> WebTrouble | None:
        if depth > DEEPEST_LIST:
            return WebTrouble("unsupported", "it leads from list to list")
        if depth > 0 and not is_allowed(link.url, self._options.protocols):
            return WebTrouble("refused", f"it is none of {', '.join(self._options.protocols)}")
        return self._unwanted(link.told)

    def _unwanted(self, told: Told) -> WebTrouble | None:
        if is_live(told):
            return WebTrouble("live", "it can be downloaded only after it was broadcast")
        unwanted = why_unwanted(told, self._options.filters)
        return WebTrouble("filtered", unwanted) if unwanted else None

    def _extract(self, link: WebVideo) -> Told:
        told = self._site.extract_info(link.url, download=False, process=False, ie_key=link.told.get("ie_key"))
        if not told:
            raise VideoError("unsupported", "there is no video")
        return {**self._sane(told), **_added_by_list(link.told)}

    def _sane(self, told: Told) -> dict[str, Any]:
        return made_sane(told, self._access.without_secrets)

    def _unfold(self, told: Told, link: WebVideo, is_needless: IsNeedless, depth: int) -> Iterator[WebVideo]:
        kind = told.get("_type") or "video"
        if kind in _LINKS:
            url, key = str(told.get("url") or ""), key_of(told)
            linked = WebVideo(key, url, told, key, self._name(told, url), lists=link.lists)
            yield from self._follow(linked, is_needless, depth + 1)
        elif kind in _LISTS:
            yield from self._entries(told, link, is_needless, depth)
        else:
            name = self._name(told, link.url)
            video = replace(link, key=key_of(told), told=told, name=name, link=link.link or link)
            if not is_needless(video):
                yield replace(video, trouble=self._unwanted(told))

    def _entries(self, told: Told, link: WebVideo, is_needless: IsNeedless, depth: int) -> Iterator[WebVideo]:
        entries = iter(told.get("entries") or ())
        found_in = replace(link, link=link.link or link, lists=(*link.lists, link.key), left_s=None)
        while True:
            self._clock.start()
            try:
                entry = next(entries)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 - the videos before the page that cannot be read still count
                yield replace(link, trouble=explain_trouble(error, self._access))
                return
            if isinstance(entry, Mapping):
                whole = {**_inherited(told, entry), **self._sane(entry)}
                yield from self._unfold(whole, replace(found_in, asked=key_of(whole)), is_needless, depth + 1)

    def _name(self, told: Told, url: str) -> str:
        return self._access.without_secrets(name_of(told, url))


def _inherited(told: Told, entry: Told) -> Told:
    """What a list tells of an entry that does not tell it itself; what it links to has a page of its own."""
    names = {"extractor", "extractor_key"} | (set() if entry.get("_type") in _LINKS else {"webpage_url"})
    return {name: told[name] for name in names if name in told}


def _added_by_list(told: Told) -> Told:
    """What a page tells of a video that it embeds goes before what the video's own site tells (yt-dlp's rule)."""
    if told.get("_type") != "url_transparent":
        return {}
    return {name: value for name, value in told.items() if value is not None and name not in _OF_LINK}
