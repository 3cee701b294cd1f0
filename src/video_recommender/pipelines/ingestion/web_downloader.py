"""Find videos on the web and fetch them, with yt-dlp, one after the other and without haste."""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote

from slugify import slugify
from yt_dlp.globals import plugin_dirs
from yt_dlp.postprocessor import FFmpegPostProcessor

from video_recommender.pipelines.ingestion.beginning import BeginningIsThere, BeginningWatch
from video_recommender.pipelines.ingestion.bounded_site import BoundedSite
from video_recommender.pipelines.ingestion.complete_file import check_complete, keep_beginning
from video_recommender.pipelines.ingestion.probe import VideoProperties, probe_video
from video_recommender.pipelines.ingestion.publication import Publication, one_line
from video_recommender.pipelines.ingestion.told import Told, made_sane, plain_url
from video_recommender.pipelines.ingestion.web_errors import WebTrouble, explain_trouble
from video_recommender.pipelines.ingestion.web_sources import (
    YoutubeOptions,
    is_allowed,
    is_live,
    parts_of,
    why_unwanted,
)
from video_recommender.video_file import VideoError, VideoFile
from video_recommender.web_access import WebAccess

T = TypeVar("T")

DEEPEST_LIST: Final = 5
"""A channel holds tabs, which hold playlists, which hold videos; deeper lists are circles."""

_LISTS: Final = frozenset({"playlist", "multi_video"})
_LINKS: Final = frozenset({"url", "url_transparent"})
_WITHOUT_IDENTIFIERS: Final = frozenset({"generic", "html5mediaembed"})
"""To these, two files of one name are the same video."""

_OF_LINK: Final = frozenset(
    {"_type", "url", "ie_key", "id", "extractor", "extractor_key", "smaller_side", "format_digest"}
)
"""What is told of a link rather than of the video that it leads to."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebVideo:
    """A video that was found, before it is fetched.

    Attributes:
        key: tells it from all others: a digest of site and identifier, or of its URL where the site gives none.
        url: where it was found; a search, where that itself has failed.
        told: what the site tells of it.
        asked: the key by which it was looked for, before its site was asked for its own.
        name: what people call it.
        link: what to ask its site for to be told of it anew; None if it is such a link itself.
        lists: the keys of the lists that it was found in.
        left_s: how much of a video's time finding it has left, in seconds.
        trouble: why it is none that can be fetched, if that is known already.
    """

    key: str
    url: str
    told: Told
    asked: str
    name: str = ""
    link: "WebVideo | None" = None
    lists: tuple[str, ...] = ()
    left_s: float | None = None
    trouble: WebTrouble | None = None

    @property
    def slug(self) -> str:
        """A name for files: ASCII, short, and unlike that of any other video."""
        return f"{slugify(self.name, max_length=60, word_boundary=True) or 'untitled'}-{self.key[:8]}"


IsNeedless = Callable[[WebVideo], bool]
"""Tells of a video, or of a link to one, that it need not be looked at."""


@dataclass(frozen=True)
class FetchedVideo:
    """A video that was fetched.

    Attributes:
        file: where it lies until it is catalogued.
        group: whose it is: videos of one uploader must not straddle a split.
        publication: what the site tells of it.
        properties: what the file itself tells.
    """

    file: VideoFile
    group: str
    publication: Publication
    properties: VideoProperties


class WebDownloader:
    """Finds and fetches videos; to be used as a context manager.

    No configuration file, plugin, post-processor or other program takes part, and nothing but the fetched file is
    written.

    Args:
        options: see `YoutubeOptions`.
        access: see `WebAccess`.
        seed: what the waiting times are drawn from.
    """

    def __init__(self, options: YoutubeOptions, access: WebAccess, seed: int) -> None:
        self._options = options
        self._access = access
        self._random = random.Random(seed)

    def __enter__(self) -> Self:
        """Get ready; nothing is fetched yet."""
        self._access.partial_folder.mkdir(parents=True, exist_ok=True)
        plugin_dirs.value = []
        FFmpegPostProcessor._ffmpeg_location.set(self._no_program())  # where yt-dlp looks without asking its settings
        self._site = BoundedSite(self._settings(), self._options.protocols, self._options.manners.video_timeout_s)
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._site.close()

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
        key = _digest(plain_url(source))
        yield from self._follow(WebVideo(key, source, {}, key, self._name({}, source)), is_needless, depth=0)

    def fetch(self, video: WebVideo) -> FetchedVideo:
        """Fetch the beginning of a video, in the smallest format that is good enough.

        Args:
            video: as found.

        Returns:
            See `FetchedVideo`. Call `forget` when its file was catalogued.

        Raises:
            VideoError: with one of the statuses of `web_errors`, `filtered`, `refused`, `too_large`, or one of
                `probe_video`'s.
            OSError: if the disk is full or may not be written to.
        """
        trouble = video.trouble
        if trouble is None:
            self._site.start_clock(self._options.manners.video_timeout_s if video.left_s is None else video.left_s)
            try:
                return self._patiently(
                    lambda before: self._fetch_once(
                        self._renewed(video) if before and before.status == "failed" else video
                    )
                )
            except _GaveUp as gave_up:
                trouble = gave_up.trouble
        if not trouble.is_passing:
            self.forget(video)
        raise VideoError(trouble.status, trouble.in_words(self.shown(video.url)))

    def forget(self, video: WebVideo) -> None:
        """Delete what was fetched of a video."""
        for file in self._access.partial_folder.glob(f"{video.key}*"):
            file.unlink()

    def forget_all_but(self, keys: Iterable[str]) -> None:
        """Delete what was fetched, also in earlier runs, of any video but these."""
        kept = set(keys)
        for file in self._access.partial_folder.iterdir():
            if file.name.split("-")[0] not in kept:
                file.unlink()

    def shown(self, url: str) -> str:
        """A URL as it may be shown: without user, password, cookies and proxy."""
        return one_line(self._access.without_secrets(plain_url(url)))

    def _follow(self, link: WebVideo, is_needless: IsNeedless, depth: int) -> Iterator[WebVideo]:
        if is_needless(link):
            return
        trouble = self._objection(link, depth)
        if trouble is None:
            self._site.start_clock(self._options.manners.video_timeout_s)
            try:
                told = self._patiently(lambda _: self._extract(link))
            except _GaveUp as gave_up:
                trouble = gave_up.trouble
        if trouble:
            yield replace(link, trouble=trouble)
        else:
            yield from self._unfold(told, replace(link, left_s=self._site.left_s), is_needless, depth)

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
            url, key = str(told.get("url") or ""), _key(told)
            linked = WebVideo(key, url, told, key, self._name(told, url), lists=link.lists)
            yield from self._follow(linked, is_needless, depth + 1)
        elif kind in _LISTS:
            yield from self._entries(told, link, is_needless, depth)
        else:
            name = self._name(told, link.url)
            video = replace(link, key=_key(told), told=told, name=name, link=link.link or link)
            if not is_needless(video):
                yield replace(video, trouble=self._unwanted(told))

    def _entries(self, told: Told, link: WebVideo, is_needless: IsNeedless, depth: int) -> Iterator[WebVideo]:
        entries = iter(told.get("entries") or ())
        found_in = replace(link, link=link.link or link, lists=(*link.lists, link.key), left_s=None)
        while True:
            self._site.start_clock(self._options.manners.video_timeout_s)
            try:
                entry = next(entries)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 - the videos before the page that cannot be read still count
                yield replace(link, trouble=explain_trouble(error, self._access))
                return
            if isinstance(entry, Mapping):
                whole = {**_inherited(told, entry), **self._sane(entry)}
                yield from self._unfold(whole, replace(found_in, asked=_key(whole)), is_needless, depth + 1)

    def _name(self, told: Told, url: str) -> str:
        return one_line(str(told.get("title") or "")) or self._access.without_secrets(_last_part(url))

    def _renewed(self, video: WebVideo) -> WebVideo:
        """Ask a video's site for it anew: the address of a file may be good for a short time only."""
        if video.link is None:
            return video
        left_s = self._site.left_s
        found = self._unfold(self._extract(video.link), video.link, lambda _: False, DEEPEST_LIST)
        renewed = next((other for other in found if other.key == video.key and not other.trouble), video)
        self._site.start_clock(left_s)
        return renewed

    def _fetch_once(self, video: WebVideo) -> FetchedVideo:
        self._watch = BeginningWatch(self._options.seconds, self._options.max_megabytes)
        asked_for = {**deepcopy(dict(video.told)), "partial_name": video.key}
        try:
            told = self._site.process_ie_result(asked_for, download=True)
            file = _fetched_file(told)
        except BeginningIsThere as there:
            told, file = there.told, there.file
        try:
            beginning = self._whole_beginning(file, video.told.get("duration"))
        except VideoError:
            file.path.unlink()  # or yt-dlp would take it for a finished download the next time
            raise
        told = self._sane(told)
        return FetchedVideo(beginning, _group(told) or video.key, Publication.of(told), probe_video(beginning))

    def _look(self, progress: Told) -> None:
        self._watch.look(progress)

    def _whole_beginning(self, file: VideoFile, told_s: float | None) -> VideoFile:
        beginning = keep_beginning(file, self._options.seconds)
        check_complete(beginning, self._options.seconds, told_s)
        return beginning

    def _patiently(self, action: Callable[[WebTrouble | None], T]) -> T:
        """Try again what may pass, as long as there is time, with growing, scattered pauses or those the server wants.

        The action is given what was wrong the time before.
        """
        manners = self._options.manners
        before: WebTrouble | None = None
        for attempt in range(manners.retries + 1):
            try:
                return action(before)
            except Exception as error:  # noqa: BLE001 - extractors raise whatever a page makes them raise
                before = trouble = explain_trouble(error, self._access)
            wait_s = trouble.wait_s or self._pause_s(attempt)
            longest_s = min(manners.longest_wait_s, self._site.left_s)
            if not trouble.is_passing or attempt == manners.retries or wait_s > longest_s:
                break
            logger.info("%s: again in %.0f s", trouble.reason, wait_s)
            time.sleep(wait_s)
        raise _GaveUp(trouble)

    def _pause_s(self, n: int) -> float:
        """How long to wait after attempt `n`, counted from 0; yt-dlp calls it by this name too."""
        manners = self._options.manners
        return min(manners.longest_wait_s, manners.backoff_s * 2.0**n * self._random.uniform(0.5, 1.5))

    def _pause_before_piece_s(self, n: int) -> float:
        """How long to wait before a piece of a stream is asked for again, after attempt `n`.

        Raises:
            HTTPError: if it is not to be asked for again: yt-dlp itself would tell of the refusal in words only.
        """
        manners, refusal = self._options.manners, self._site.refusal
        wait_s = (explain_trouble(refusal, self._access).wait_s if refusal else None) or self._pause_s(n)
        if refusal and (n >= manners.retries or wait_s > min(manners.longest_wait_s, self._site.left_s)):
            raise refusal
        return wait_s

    def _no_program(self) -> str:
        """Where ffmpeg is not: it would heed neither proxy, cookies, ceilings nor pauses."""
        return str(self._access.partial_folder / "ffmpeg")

    def _settings(self) -> dict[str, Any]:
        options, manners = self._options, self._options.manners
        protocols = "|".join((*options.protocols, "m3u8", "m3u8_native", "http_dash_segments"))
        allowed = f"[smaller_side<=?{options.max_height}][protocol~='^({protocols})$']"
        return {
            "format": f"bv{allowed}/b{allowed}/bv*{allowed}",
            "format_sort": [f"res~{options.height}", "vcodec:h264", "ext:mp4", "+size", "+br"],
            "progress_hooks": [self._look],
            "paths": {"home": str(self._access.partial_folder)},
            "outtmpl": {"default": "%(partial_name)s-%(format_digest)s.video"},
            "restrictfilenames": True,
            "cookiefile": self._access.cookie_file(),
            "proxy": self._access.proxy,
            "cachedir": False,
            "enable_file_urls": False,
            "usenetrc": False,
            "postprocessors": [],
            "fixup": "never",
            "hls_prefer_native": True,
            "ffmpeg_location": self._no_program(),
            "socket_timeout": manners.timeout_s,
            "ratelimit": manners.bytes_per_second,
            "sleep_interval": manners.sleep_between_videos_s[0],
            "max_sleep_interval": manners.sleep_between_videos_s[1],
            "sleep_interval_requests": manners.sleep_between_requests_s,
            "retries": 0,  # `_patiently` does it, for pages as for files
            "extractor_retries": 1,  # likewise, but for what extractors alone can tell to be worth another look
            "fragment_retries": float("inf"),  # `_pause_before_piece_s` counts
            "skip_unavailable_fragments": False,
            "retry_sleep_functions": {"fragment": self._pause_before_piece_s, "extractor": self._pause_s},
            "updatetime": False,
            "quiet": True,
            "noprogress": True,
            "color": {"stderr": "never", "stdout": "never"},
            "logger": _Log(self._access),
        }


class _GaveUp(Exception):  # noqa: N818 - it is no error yet: the video's record will tell
    def __init__(self, trouble: WebTrouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class _Log:
    """What yt-dlp says goes into this module's log, without secrets: what matters of it is told otherwise."""

    def __init__(self, access: WebAccess) -> None:
        self._access = access

    def debug(self, message: str) -> None:
        logger.debug("%s", self._access.without_secrets(message))

    info = warning = error = debug


def _fetched_file(told: Told) -> VideoFile:
    for fetched in told.get("requested_downloads") or ():
        if fetched.get("filepath") and Path(fetched["filepath"]).exists():
            return VideoFile(Path(fetched["filepath"]))
    raise VideoError("failed", "nothing came")


def _inherited(told: Told, entry: Told) -> Told:
    """What a list tells of an entry that does not tell it itself; what it links to has a page of its own."""
    names = {"extractor", "extractor_key"} | (set() if entry.get("_type") in _LINKS else {"webpage_url"})
    return {name: told[name] for name in names if name in told}


def _added_by_list(told: Told) -> Told:
    """What a page tells of a video that it embeds goes before what the video's own site tells (yt-dlp's rule)."""
    if told.get("_type") != "url_transparent":
        return {}
    return {name: value for name, value in told.items() if value is not None and name not in _OF_LINK}


def _key(told: Told) -> str:
    site = str(told.get("ie_key") or told.get("extractor_key") or "Generic").lower()
    if site not in _WITHOUT_IDENTIFIERS and told.get("id"):
        return _digest(f"{site} {told['id']}")
    formats = [form["url"] for form in told.get("formats") or () if "url" in form]
    url = str(told.get("url") or next(iter(formats), None) or told.get("webpage_url") or told.get("id"))
    return _digest(plain_url(url))


def _group(told: Told) -> str:
    uploader = told.get("channel_id") or told.get("uploader_id") or told.get("uploader")
    site = parts_of(str(told.get("webpage_url") or "")).hostname or told.get("extractor_key")
    return one_line(f"{site}: {uploader}") if uploader else ""


def _last_part(url: str) -> str:
    parts = parts_of(plain_url(url))
    return Path(unquote(parts.path)).stem or parts.netloc or url


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]
