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
from urllib.parse import unquote, urlsplit

import imageio_ffmpeg
import yt_dlp
from slugify import slugify
from yt_dlp.globals import plugin_dirs
from yt_dlp.postprocessor import FFmpegPostProcessor
from yt_dlp.utils import unsmuggle_url

from video_recommender.pipelines.ingestion.complete_file import check_complete, keep_beginning
from video_recommender.pipelines.ingestion.probe import VideoProperties, probe_video
from video_recommender.pipelines.ingestion.publication import Publication, one_line
from video_recommender.pipelines.ingestion.web_errors import WebTrouble, explain_trouble
from video_recommender.pipelines.ingestion.web_sources import YoutubeOptions, is_allowed, why_unwanted
from video_recommender.video_file import VideoError, VideoFile
from video_recommender.web_access import WebAccess, without_users

T = TypeVar("T")

Told = Mapping[str, Any]
"""What yt-dlp tells of a video or a list of videos: https://github.com/yt-dlp/yt-dlp#output-template."""

IsKnown = Callable[[str], bool]
"""Tells of a video's key that it need not be looked at again."""

DEEPEST_LIST: Final = 5
"""A channel holds tabs, which hold playlists, which hold videos; deeper lists are circles."""

LONG: Final = 1.5
"""Where a video is that many times as long as what is wanted of it, the rest is not even fetched."""

_LISTS: Final = frozenset({"playlist", "multi_video"})
_LINKS: Final = frozenset({"url", "url_transparent"})
_WITHOUT_IDENTIFIERS: Final = frozenset({"generic", "html5mediaembed"})
"""To these, two files of one name are the same video."""

_MEGABYTE: Final = 1_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebVideo:
    """A video that was found, before it is fetched.

    Attributes:
        key: tells it from all others: site and identifier, or its URL where the site gives none.
        url: where it was found; a search, where that itself has failed.
        told: what the site tells of it.
        asked: the key by which it was looked for, before its site was asked for its own.
        trouble: why it is none that can be fetched, if that is known already.
    """

    key: str
    url: str
    told: Told
    asked: str
    trouble: WebTrouble | None = None

    @property
    def slug(self) -> str:
        """A name for files: ASCII, short, and unlike that of any other video."""
        name = one_line(str(self.told.get("title") or "")) or _last_part(self.url)
        return f"{slugify(name, max_length=60, word_boundary=True) or 'untitled'}-{_digest(self.key)[:8]}"


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

    No configuration file, plugin, post-processor or program of the user's takes part, and nothing but the fetched file
    is written.

    Args:
        options: see `YoutubeOptions`.
        access: see `WebAccess`.
        seed: what the waiting times are drawn from.
    """

    def __init__(self, options: YoutubeOptions, access: WebAccess, seed: int) -> None:
        self._options = options
        self._access = access
        self._random = random.Random(seed)
        self._deadline_s = float("inf")

    def __enter__(self) -> Self:
        """Get ready; nothing is fetched yet."""
        self._access.partial_folder.mkdir(parents=True, exist_ok=True)
        plugin_dirs.value = []
        FFmpegPostProcessor._ffmpeg_location.set(_ffmpeg())  # as yt-dlp's own command line does
        self._site = yt_dlp.YoutubeDL(self._settings())
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._site.close()

    def find(self, source: str, is_known: IsKnown) -> Iterator[WebVideo]:
        """Find the videos of a search, a list, a page or a single URL, one by one, as they are asked for.

        Args:
            source: see `list_sources`.
            is_known: see `IsKnown`; such videos are left out.

        Yields:
            Videos; what cannot be read, and what is not wanted, has a `trouble`.

        Raises:
            OSError: if the disk is full or may not be written to.
        """
        yield from self._follow(WebVideo(_plain(source), source, {}, _plain(source)), is_known, depth=0)

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
            try:
                return self._patiently(lambda: self._fetch_once(video))
            except _GaveUp as gave_up:
                trouble = gave_up.trouble
        if not trouble.is_passing:
            self.forget(video)
        raise VideoError(trouble.status, trouble.in_words(self.shown(video.url)))

    def forget(self, video: WebVideo) -> None:
        """Delete what was fetched of a video."""
        for file in self._access.partial_folder.glob(f"{_digest(video.key)}*"):
            file.unlink()

    def forget_all_but(self, keys: Iterable[str]) -> None:
        """Delete what was fetched, also in earlier runs, of any video but these."""
        kept = {_digest(key) for key in keys}
        for file in self._access.partial_folder.iterdir():
            if file.name.split(".")[0] not in kept:
                file.unlink()

    def shown(self, url: str) -> str:
        """A URL as it may be shown: without user, password, cookies and proxy."""
        return one_line(self._access.without_secrets(_plain(url)))

    def _follow(self, link: WebVideo, is_known: IsKnown, depth: int) -> Iterator[WebVideo]:
        if is_known(link.key):
            return
        trouble = self._objection(link, depth)
        if trouble is None:
            try:
                told = self._patiently(lambda: self._extract(link))
            except _GaveUp as gave_up:
                trouble = gave_up.trouble
        if trouble:
            yield replace(link, trouble=trouble)
        else:
            yield from self._unfold(told, link, is_known, depth)

    def _objection(self, link: WebVideo, depth: int) -> WebTrouble | None:
        if depth > DEEPEST_LIST:
            return WebTrouble("unsupported", "it leads from list to list")
        if depth > 0 and not is_allowed(link.url, self._options.protocols):
            return WebTrouble("refused", f"it is none of {', '.join(self._options.protocols)}")
        unwanted = why_unwanted(link.told, self._options.filters)
        return WebTrouble("filtered", unwanted) if unwanted else None

    def _extract(self, link: WebVideo) -> Told:
        told = self._site.extract_info(link.url, download=False, process=False, ie_key=link.told.get("ie_key"))
        if not told:
            raise VideoError("unsupported", "there is no video")
        return {**told, **_added_by_list(link.told)}

    def _unfold(self, told: Told, link: WebVideo, is_known: IsKnown, depth: int) -> Iterator[WebVideo]:
        kind = told.get("_type") or "video"
        if kind in _LINKS:
            yield from self._follow(_linked(told), is_known, depth + 1)
        elif kind in _LISTS:
            yield from self._entries(told, link, is_known, depth)
        else:
            video = WebVideo(_key(told), link.url, told, link.asked)
            unwanted = why_unwanted(told, self._options.filters)
            if not is_known(video.key):
                yield replace(video, trouble=WebTrouble("filtered", unwanted)) if unwanted else video

    def _entries(self, told: Told, link: WebVideo, is_known: IsKnown, depth: int) -> Iterator[WebVideo]:
        entries = iter(told.get("entries") or ())
        inherited = {name: told[name] for name in ("extractor", "extractor_key", "webpage_url") if name in told}
        while True:
            try:
                entry = next(entries, None)
            except Exception as error:  # noqa: BLE001 - the videos before the page that cannot be read still count
                yield replace(link, trouble=explain_trouble(error, self._access))
                return
            if entry is None:
                return
            whole = {**inherited, **entry}
            yield from self._unfold(whole, replace(link, asked=_key(whole)), is_known, depth + 1)

    def _fetch_once(self, video: WebVideo) -> FetchedVideo:
        partial_name = _digest(video.key)
        self._deadline_s = time.monotonic() + self._options.manners.video_timeout_s
        asked_for = {**deepcopy(dict(video.told)), "partial_name": partial_name}
        told = self._site.process_ie_result(asked_for, download=True)
        file = VideoFile(self._access.partial_folder / f"{partial_name}.video")
        if not file.path.exists():
            raise VideoError("failed", "nothing came")
        self._check(file, video.told)
        beginning = keep_beginning(file, self._options.seconds)
        properties = probe_video(beginning)
        return FetchedVideo(beginning, _group(told) or video.key, Publication.of(told), properties)

    def _check(self, file: VideoFile, told: Told) -> None:
        duration_s = told.get("duration")
        try:
            check_complete(file, min(duration_s, self._options.seconds) if duration_s else None)
        except VideoError:
            file.path.unlink()  # or yt-dlp would take it for a finished download the next time
            raise

    def _patiently(self, action: Callable[[], T]) -> T:
        """Try again what may pass, with growing, scattered pauses, or as long as the server asks for."""
        manners = self._options.manners
        for attempt in range(manners.retries + 1):
            try:
                return action()
            except Exception as error:  # noqa: BLE001 - extractors raise whatever a page makes them raise
                trouble = explain_trouble(error, self._access)
            wait_s = trouble.wait_s or self._pause_s(attempt)
            if not trouble.is_passing or attempt == manners.retries or wait_s > manners.longest_wait_s:
                break
            logger.info("%s: again in %.0f s", trouble.reason, wait_s)
            time.sleep(wait_s)
        raise _GaveUp(trouble)

    def _pause_s(self, n: int) -> float:
        """How long to wait after attempt `n`, counted from 0; yt-dlp calls it by this name too."""
        manners = self._options.manners
        return min(manners.longest_wait_s, manners.backoff_s * 2.0**n * self._random.uniform(0.5, 1.5))

    def _watch(self, progress: Told) -> None:
        """End a download that grows too large or lasts too long."""
        fetched = max(progress.get("downloaded_bytes") or 0, progress.get("total_bytes") or 0)
        if fetched > self._options.max_megabytes * _MEGABYTE:
            raise VideoError("too_large", f"it has more than {self._options.max_megabytes:g} MB")
        if time.monotonic() > self._deadline_s:
            raise VideoError("timed_out", f"it took more than {self._options.manners.video_timeout_s:g} s")

    def _ranges(self, told: Told, _: object) -> Iterator[dict[str, float]]:
        seconds = self._options.seconds
        is_long = (told.get("duration") or 0) > LONG * seconds
        # a range is fetched by ffmpeg, which takes cookies on its command line, where other users can see them
        can_cut = FFmpegPostProcessor().available and not self._access.cookies
        yield {"start_time": 0.0, "end_time": seconds} if is_long and can_cut else {}

    def _settings(self) -> dict[str, Any]:
        options, manners = self._options, self._options.manners
        allowed = f"[height<=?{options.max_height}][protocol~='^({'|'.join(options.protocols)}|m3u8|dash)']"
        return {
            "format": f"bv{allowed}/b{allowed}/bv*{allowed}",
            "format_sort": [f"height~{options.height}", "vcodec:h264", "ext:mp4", "+size", "+br"],
            "download_ranges": self._ranges,
            "progress_hooks": [self._watch],
            "paths": {"home": str(self._access.partial_folder)},
            "outtmpl": {"default": "%(partial_name)s.video"},
            "restrictfilenames": True,
            "cookiefile": self._access.cookie_file(),
            "proxy": self._access.proxy,
            "cachedir": False,
            "enable_file_urls": False,
            "usenetrc": False,
            "postprocessors": [],
            "fixup": "never",
            "ffmpeg_location": _ffmpeg(),
            "external_downloader_args": {
                "ffmpeg_i": [
                    *("-protocol_whitelist", "http,https,httpproxy,tls,tcp,crypto,data"),
                    *("-rw_timeout", str(round(manners.timeout_s * 1e6))),
                ],
                "ffmpeg_o": ["-an", "-fs", str(round(options.max_megabytes * _MEGABYTE))],
            },
            "socket_timeout": manners.timeout_s,
            "ratelimit": manners.bytes_per_second,
            "sleep_interval": manners.sleep_between_videos_s[0],
            "max_sleep_interval": manners.sleep_between_videos_s[1],
            "sleep_interval_requests": manners.sleep_between_requests_s,
            "retries": 0,  # `_patiently` does it, for pages as for files
            "extractor_retries": 1,  # likewise, but for what extractors alone can tell to be worth another look
            "fragment_retries": manners.retries,
            "skip_unavailable_fragments": False,
            "retry_sleep_functions": {"fragment": self._pause_s, "extractor": self._pause_s},
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


def _ffmpeg() -> str | None:
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def _linked(told: Told) -> WebVideo:
    return WebVideo(_key(told), str(told["url"]), told, _key(told))


def _added_by_list(told: Told) -> Told:
    """What a page tells of a video that it embeds goes before what the video's own site tells (yt-dlp's rule)."""
    if told.get("_type") != "url_transparent":
        return {}
    own = {"_type", "url", "ie_key", "id", "extractor", "extractor_key"}
    return {name: value for name, value in told.items() if value is not None and name not in own}


def _key(told: Told) -> str:
    site = str(told.get("ie_key") or told.get("extractor_key") or "Generic").lower()
    if site not in _WITHOUT_IDENTIFIERS and told.get("id"):
        return f"{site} {told['id']}"
    formats = [form["url"] for form in told.get("formats") or () if "url" in form]
    url = str(told.get("url") or next(iter(formats), None) or told.get("webpage_url") or told.get("id"))
    return _plain(url)


def _group(told: Told) -> str:
    uploader = told.get("channel_id") or told.get("uploader_id") or told.get("uploader")
    site = urlsplit(str(told.get("webpage_url") or "")).hostname or told.get("extractor_key")
    return one_line(f"{site}: {uploader}") if uploader else ""


def _plain(url: str) -> str:
    """Without user and password, and without what yt-dlp's parts whisper to each other at the end of a URL."""
    return without_users(str(unsmuggle_url(url)[0]))


def _last_part(url: str) -> str:
    parts = urlsplit(_plain(url))
    return Path(unquote(parts.path)).stem or parts.netloc or url


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]
