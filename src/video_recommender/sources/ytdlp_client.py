"""yt-dlp with bounds: nothing outlasts its time, no page is endless, and no URL leads out of the web."""

import time
from collections.abc import Callable
from functools import partial
from queue import Empty, Queue
from threading import TIMEOUT_MAX, Thread
from typing import Any, Final

import yt_dlp
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import HTTPError

from video_recommender.media.video import VideoError
from video_recommender.sources.web_options import is_allowed

LARGEST_PAGE: Final = 30_000_000
"""Pages and playlists with more bytes than that are given up; those of video sites have a few millions at most."""

PIECE: Final = 1 << 16
"""How many bytes are read at a time."""


class Clock:
    """How long what is fetched for one video may take.

    Args:
        limit_s: that long, in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._deadline_s = float("inf")

    @property
    def left_s(self) -> float:
        """How much time is left, in seconds."""
        return self._deadline_s - time.monotonic()

    def start(self, left_s: float | None = None) -> None:
        """From now on, what is fetched must be there in time, or in as much as was left of it."""
        self._deadline_s = time.monotonic() + (self._limit_s if left_s is None else left_s)

    def check(self) -> None:
        """Make sure that there is time left.

        Raises:
            VideoError: `timed_out` if there is none.
        """
        if self.left_s <= 0:
            raise self.time_is_up()

    def time_is_up(self) -> VideoError:
        """The error to raise when there is no time left."""
        return VideoError("timed_out", f"it took more than {self._limit_s:g} s")


class BoundedSite(yt_dlp.YoutubeDL):  # type: ignore[misc] # yt-dlp has no types
    """Every page, manifest, key and piece that yt-dlp fetches is asked for here.

    Args:
        settings: see `yt_dlp.YoutubeDL`.
        protocols: what a URL may begin with.
        clock: by it, nothing may take too long.
    """

    def __init__(self, settings: dict[str, Any], protocols: tuple[str, ...], clock: Clock) -> None:
        self._protocols = protocols
        self._clock = clock
        self.refusal: HTTPError | None = None
        """How the latest request was refused, if it was."""
        super().__init__(settings)

    def urlopen(self, req: Any) -> Response:
        """Ask for a URL, as yt-dlp's own method does.

        Raises:
            VideoError: `refused` if it leads out of the web, `timed_out` if there is no time left.
            HTTPError: if the server refuses it.
        """
        request = Request(req) if isinstance(req, str) else req
        self._check(request.url)
        self._clock.check()
        self.refusal = None
        try:
            response = _in_time(partial(super().urlopen, request), self._clock)
        except HTTPError as error:
            self.refusal = error
            error.response = _BoundedResponse(error.response, self._clock)
            raise
        self._check(response.url)
        return _BoundedResponse(response, self._clock)

    def _check(self, url: str) -> None:
        if not is_allowed(url, self._protocols) and not url.startswith("data:"):  # these hold what they name
            raise VideoError("refused", f"it leads to what is none of {', '.join(self._protocols)}")


def _in_time(ask: Callable[[], Response], clock: Clock) -> Response:
    """Wait for the head of an answer, which may drip in too; the thread that does so is left behind in the end."""
    answers: Queue[Response | Exception] = Queue()

    def listen() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # noqa: BLE001 - it is raised again by whom it concerns
            answers.put(error)

    Thread(target=listen, daemon=True).start()
    try:
        answer = answers.get(timeout=min(max(clock.left_s, 0.0), TIMEOUT_MAX))
    except Empty:
        raise clock.time_is_up() from None
    if isinstance(answer, Exception):
        raise answer
    return answer


class _BoundedResponse(Response):  # type: ignore[misc] # yt-dlp has no types
    """A server's answer, read as it drips in, so that the clock is looked at in between."""

    def __init__(self, response: Response, clock: Clock) -> None:
        super().__init__(response, response.url, {}, response.status, response.reason, response.extensions)
        self.headers = response.headers
        self._clock = clock
        if hasattr(response.fp, "read1"):
            response.fp = _AsItComes(response.fp)

    def read(self, amt: int | None = None) -> bytes:
        """Read so many bytes, or to the end: then it is a page.

        Raises:
            VideoError: `timed_out` if there is no time left, `unsupported` if the page is too large.
        """
        content = bytearray()
        while amt is None or len(content) < amt:
            self._clock.check()
            piece = self.fp.read(PIECE if amt is None else min(PIECE, amt - len(content)))
            if not piece:
                break
            content += piece
            if amt is None and len(content) > LARGEST_PAGE:
                raise VideoError("unsupported", f"a page of it has more than {LARGEST_PAGE / 1e6:g} MB")
        return bytes(content)


class _AsItComes:
    """Gives what has come, instead of waiting until it is as much as was asked for."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self, size: int, **how: Any) -> bytes:
        content: bytes = self._answer.read1(size, **how)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)
