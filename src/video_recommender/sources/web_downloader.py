"""Find videos on the web and fetch them, with yt-dlp, one after the other and without haste."""

import logging
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

from yt_dlp.globals import plugin_dirs
from yt_dlp.postprocessor import FFmpegPostProcessor

from video_recommender.media.probe import probe_video
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.sources.file_completeness import check_complete, keep_beginning
from video_recommender.sources.metadata import Publication, one_line
from video_recommender.sources.retry import GaveUp, Patience
from video_recommender.sources.sanitize_metadata import Told, made_sane, plain_url
from video_recommender.sources.truncation import BeginningIsThere, BeginningWatch
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_errors import WebTrouble
from video_recommender.sources.web_options import YoutubeOptions
from video_recommender.sources.web_search import IsNeedless, WebFinder
from video_recommender.sources.web_video import FetchedVideo, WebVideo, group_of
from video_recommender.sources.ytdlp_client import BoundedSite, Clock

logger = logging.getLogger(__name__)


class WebDownloader:
    """Finds and fetches videos; to be used as a context manager.

    No configuration file, plugin, post-processor or program takes part, but for deno, in which YouTube's own runs, and
    nothing but the fetched file is written.

    Args:
        options: see `YoutubeOptions`.
        access: see `WebAccess`.
        seed: what the waiting times are drawn from.
    """

    def __init__(self, options: YoutubeOptions, access: WebAccess, seed: int) -> None:
        self._options = options
        self._access = access
        self._clock = Clock(options.manners.video_timeout_s)
        self._patience = Patience(options.manners, access, self._clock, seed)

    def __enter__(self) -> Self:
        """Get ready; nothing is fetched yet."""
        self._access.partial_folder.mkdir(parents=True, exist_ok=True)
        plugin_dirs.value = []
        FFmpegPostProcessor._ffmpeg_location.set(self._no_program())  # where yt-dlp looks without asking its settings
        self._site = BoundedSite(self._settings(), self._options.protocols, self._clock)
        self._finder = WebFinder(self._site, self._clock, self._patience, self._options, self._access)
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._site.close()

    def find(self, source: str, is_needless: IsNeedless) -> Iterator[WebVideo]:
        """Find videos: see `WebFinder.find`."""
        return self._finder.find(source, is_needless)

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
            self._clock.start(video.left_s)
            try:
                return self._patience.ask(lambda before: self._fetch_again(video, before))
            except GaveUp as gave_up:
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

    def _fetch_again(self, video: WebVideo, before: WebTrouble | None) -> FetchedVideo:
        return self._fetch_once(self._finder.renewed(video) if before and before.status == "failed" else video)

    def _fetch_once(self, video: WebVideo) -> FetchedVideo:
        self._watch = BeginningWatch(self._options.seconds, self._options.max_megabytes)
        asked_for = {**deepcopy(dict(video.told)), "partial_name": video.key}
        try:
            told = self._site.process_ie_result(asked_for, download=True)
            file = _fetched_file(told)
        except BeginningIsThere as there:
            told, file = there.told, there.file
        try:
            beginning = keep_beginning(file, self._options.seconds)
            check_complete(beginning, self._options.seconds, video.told.get("duration"))
        except VideoError:
            self.forget(video)  # or yt-dlp would take it for a finished download the next time
            raise
        told = made_sane(told, self._access.without_secrets)
        return FetchedVideo(beginning, group_of(told) or video.key, Publication.of(told), probe_video(beginning))

    def _look(self, progress: Told) -> None:
        self._watch.look(progress)

    def _pause_before_piece_s(self, n: int) -> float:
        return self._patience.pause_after_s(self._site.refusal, n)

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
            "retries": 0,  # `Patience` does it, for pages as for files
            "extractor_retries": 1,  # likewise; but only extractors can tell what is worth another look
            "fragment_retries": float("inf"),  # likewise
            "skip_unavailable_fragments": False,
            "retry_sleep_functions": {"fragment": self._pause_before_piece_s, "extractor": self._patience.pause_s},
            "updatetime": False,
            "quiet": True,
            "noprogress": True,
            "color": {"stderr": "never", "stdout": "never"},
            "logger": _Log(self._access),
        }


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
