"""A yt-dlp client with limits on time, page size and protocols."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from threading import TIMEOUT_MAX, Thread
from typing import Any, Final

import yt_dlp
from yt_dlp.globals import plugin_dirs
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import HTTPError

from video_recommender.media.video import VideoError
from video_recommender.sources.web_errors import Deadline, RetryPolicy
from video_recommender.sources.web_options import PROTOCOLS, WebAccess, WebOptions, is_web_url

MAX_PAGE_BYTES: Final = 30_000_000  # pages and playlists of video sites have at most a few megabytes
CHUNK_BYTES: Final = 1 << 16
SOCKET_TIMEOUT_S: Final = 20.0  # yt-dlp's default
SLEEP_BETWEEN_REQUESTS_S: Final = 0.75  # recommended by yt-dlp's maintainers (preset `sleep`)

logger = logging.getLogger(__name__)


class YtdlpClient(yt_dlp.YoutubeDL):  # type: ignore[misc] # yt-dlp has no types
    """yt-dlp without plugins, configuration files or external programs, and with limits on every request."""

    def __init__(
        self, options: WebOptions, access: WebAccess, retry: RetryPolicy, on_progress: Callable[[dict[str, Any]], None]
    ) -> None:
        self._deadline = retry.deadline
        self.http_error: HTTPError | None = None  # error of the latest request, if it failed
        plugin_dirs.value = []
        limits = options.rate_limits
        protocols = "|".join((*PROTOCOLS, "m3u8", "m3u8_native", "http_dash_segments"))
        formats = f"[smaller_side<=?{options.max_height}][protocol~='^({protocols})$']"
        super().__init__(
            {
                "format": f"bv{formats}/b{formats}/bv*{formats}",
                "format_sort": [f"res~{options.height}", "vcodec:h264", "ext:mp4", "+size", "+br"],
                "progress_hooks": [on_progress],
                "paths": {"home": str(access.partial_folder)},
                "outtmpl": {"default": "%(partial_name)s-%(format_digest)s.video"},
                "cookiefile": access.cookie_file(),
                "proxy": access.proxy,
                "postprocessors": [],
                "fixup": "never",
                # A missing file, so that yt-dlp does not run ffmpeg, which would ignore the proxy, cookies and limits
                "ffmpeg_location": str(access.partial_folder / "ffmpeg"),
                "socket_timeout": SOCKET_TIMEOUT_S,
                "ratelimit": limits.bytes_per_second,
                "sleep_interval": limits.sleep_between_videos_s[0],
                "max_sleep_interval": limits.sleep_between_videos_s[1],
                "sleep_interval_requests": SLEEP_BETWEEN_REQUESTS_S,
                "retries": 0,  # `RetryPolicy` retries pages and files
                "extractor_retries": 1,  # only extractors know which requests to repeat
                "fragment_retries": float("inf"),  # `fragment_backoff_s` limits the retries
                "retry_sleep_functions": {
                    "extractor": retry.backoff_s,
                    "fragment": lambda n: retry.fragment_backoff_s(self.http_error, n),
                },
                "skip_unavailable_fragments": False,
                **dict.fromkeys(("restrictfilenames", "hls_prefer_native", "quiet", "noprogress"), True),
                **dict.fromkeys(("cachedir", "enable_file_urls", "usenetrc", "updatetime"), False),
                "color": {"stderr": "never", "stdout": "never"},
                "logger": _RedactingLog(access),
            }
        )

    def urlopen(self, req: Any) -> Response:
        """Send a request. Raises a `VideoError` if it takes too long or leads to a protocol other than HTTP(S)."""
        request = Request(req) if isinstance(req, str) else req
        _check_url(request.url)
        self._deadline.check()
        self.http_error = None
        try:
            response = _run_until(self._deadline, partial(super().urlopen, request))
        except HTTPError as error:
            self.http_error = error
            error.response = _LimitedResponse(error.response, self._deadline)
            raise
        _check_url(response.url)
        return _LimitedResponse(response, self._deadline)


class _RedactingLog:
    """Writes yt-dlp's messages without secrets to this module's debug log. Errors are reported elsewhere."""

    def __init__(self, access: WebAccess) -> None:
        self._access = access

    def debug(self, message: str) -> None:
        logger.debug("%s", self._access.redact(message))

    info = warning = error = debug


def _check_url(url: str) -> None:
    if not is_web_url(url) and not url.startswith("data:"):  # a data URL contains its content
        raise VideoError("invalid_url", "it redirects or links to a URL that is neither http nor https")


def _run_until(deadline: Deadline, send: Callable[[], Response]) -> Response:
    """Send a request in a thread, which is abandoned if the response headers do not arrive before the deadline."""
    response: Future[Response] = Future()

    def run() -> None:
        try:
            response.set_result(send())
        except Exception as error:  # noqa: BLE001 - the caller raises it
            response.set_exception(error)

    Thread(target=run, daemon=True).start()
    wait([response], timeout=min(max(deadline.remaining_s, 0.0), TIMEOUT_MAX))
    if not response.done():
        raise deadline.exceeded()
    return response.result()


class _LimitedResponse(Response):  # type: ignore[misc] # yt-dlp has no types
    """A response that checks the deadline between chunks."""

    def __init__(self, response: Response, deadline: Deadline) -> None:
        super().__init__(response, response.url, {}, response.status, response.reason, response.extensions)
        self.headers = response.headers
        self._deadline = deadline
        if hasattr(response.fp, "read1"):
            response.fp = _Unbuffered(response.fp)

    def read(self, amt: int | None = None) -> bytes:
        """Read `amt` bytes (None: a page). Raises a `VideoError` if this takes too long or the page is too large."""
        content = bytearray()
        while amt is None or len(content) < amt:
            self._deadline.check()
            chunk = self.fp.read(CHUNK_BYTES if amt is None else min(CHUNK_BYTES, amt - len(content)))
            if not chunk:
                break
            content += chunk
            if amt is None and len(content) > MAX_PAGE_BYTES:
                raise VideoError("unsupported", f"a page or playlist is larger than {MAX_PAGE_BYTES / 1e6:g} MB")
        return bytes(content)


class _Unbuffered:
    """A file that returns the available bytes instead of waiting for the requested number of bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int, **options: Any) -> Any:
        return self._file.read1(size, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
