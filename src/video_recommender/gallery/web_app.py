"""The web pages of the gallery, with protection against cross-site requests."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from video_recommender.gallery import video_index
from video_recommender.gallery.gallery import Gallery
from video_recommender.gallery.new_video import NewVideoAnalyst, UploadRejectedError, received_file
from video_recommender.gallery.project_data import UnavailableError
from video_recommender.gallery.video_index import VideoCard

PACKAGE: Final = Path(__file__).parent
CACHE_FOREVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
REVALIDATE: Final = {"Cache-Control": "private, no-cache"}
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
SIGNATURES: Final = {
    (4, b"ftyp"): "video/mp4",
    (0, b"\x1aE\xdf\xa3"): "video/webm",
    (0, b"OggS"): "video/ogg",
    (0, b"FLV"): "video/x-flv",
    (8, b"AVI "): "video/x-msvideo",
}
"""Media type by file signature (offset, bytes), because the corpus names all files .mp4."""


class LoopbackGuard:
    """ASGI middleware that rejects unknown host names (DNS rebinding) and cross-origin requests with unsafe methods.

    `hosts` are the accepted names, without a port; None accepts all, for a server that a network can reach.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None = LOOPBACK) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or reject it with status 400 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._hosts is not None and _host_name(headers.get("host", "")) not in self._hosts:
            await PlainTextResponse("Unknown host name: use the gallery's address.", 400)(scope, receive, send)
            return
        if scope["method"] not in SAFE_METHODS and not _is_same_origin(headers):
            await PlainTextResponse("Cross-origin request: use the gallery's pages.", 403)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app(gallery: Gallery, analyst: NewVideoAnalyst, hosts: frozenset[str] | None = LOOPBACK) -> FastAPI:
    """Create the web application; `hosts` as in `LoopbackGuard`."""
    app = FastAPI(title="Video gallery", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(LoopbackGuard, hosts=hosts)
    app.mount("/static", StaticFiles(directory=PACKAGE / "static"), name="static")
    pages = Jinja2Templates(directory=PACKAGE / "templates")
    pages.env.filters.update(amount=format_amount, clock=format_clock, percent=format_percent)
    pages.env.globals["NO_CATEGORY"] = video_index.NO_CATEGORY

    @app.get("/", response_class=HTMLResponse)
    def show_grid(
        request: Request,
        category: Annotated[str, Query(max_length=200)] = "",
        shows: Annotated[str, Query(max_length=100)] = "",
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> Response:
        query = video_index.Query(category, shows, page)
        index = gallery.index()
        context = {"query": query, "index": index, "found": index.find(query), "notices": gallery.notices()}
        return pages.TemplateResponse(request, "grid.html", context)

    @app.get("/videos/{video_id:path}", response_class=HTMLResponse)
    def show_video(request: Request, video_id: str) -> Response:
        card = _find_card(gallery, video_id)
        context = {
            "details": gallery.details(card),
            "has_file": gallery.video_file(card) is not None,
            "command": gallery.project.command_for("videos"),
        }
        return pages.TemplateResponse(request, "video.html", context)

    @app.get("/files/{video_id:path}")
    def send_file(video_id: str) -> FileResponse:
        file = gallery.video_file(_find_card(gallery, video_id))
        if file is None:
            raise HTTPException(404, "The video file is missing.")
        return FileResponse(file, media_type=detect_media_type(file), headers=REVALIDATE)

    @app.get("/thumbnails/{video_id:path}")
    def send_thumbnail(video_id: str, version: str = "") -> Response:
        card = _find_card(gallery, video_id)
        jpeg = gallery.thumbnail(card)
        if jpeg is None:
            raise HTTPException(404, "This video has no thumbnail.")
        headers = CACHE_FOREVER if version == card.thumbnail else REVALIDATE
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @app.get("/new", response_class=HTMLResponse)
    def show_upload(request: Request) -> Response:
        context = {"notice": analyst.missing_models(), "limits": analyst.limits}
        return pages.TemplateResponse(request, "new.html", context)

    @app.post("/new", response_class=HTMLResponse)
    async def analyse_upload(request: Request) -> Response:
        with analyst.reserved():
            async with received_file(_chunks(request), analyst.limits) as path:
                details = await run_in_threadpool(analyst.analyse, path)
        return pages.TemplateResponse(request, "new_answer.html", {"details": details})

    @app.exception_handler(UnavailableError)
    def show_notice(request: Request, error: UnavailableError) -> Response:
        return pages.TemplateResponse(request, _notice_template(request), {"notice": error.notice}, 503)

    @app.exception_handler(UploadRejectedError)
    def show_rejection(request: Request, error: UploadRejectedError) -> Response:
        return pages.TemplateResponse(request, "rejected.html", {"message": str(error)}, error.status)

    @app.exception_handler(Exception)  # Starlette logs the traceback
    def show_failure(request: Request, _: Exception) -> Response:
        context = {"notice": gallery.incompatible_data()}
        return pages.TemplateResponse(request, _notice_template(request), context, 500)

    @app.exception_handler(RequestValidationError)
    def show_invalid_address(request: Request, _: RequestValidationError) -> Response:
        return pages.TemplateResponse(request, "error.html", {"message": "The address has an invalid parameter."}, 422)

    @app.exception_handler(HTTPException)
    def show_error(request: Request, error: HTTPException) -> Response:
        return pages.TemplateResponse(request, "error.html", {"message": error.detail}, error.status_code)

    return app


def detect_media_type(video: Path) -> str:
    """Detect the media type (RFC 6838) of a video; `application/octet-stream` for formats that browsers cannot play."""
    with video.open("rb") as file:
        start = file.read(16)
    for (offset, signature), media_type in SIGNATURES.items():
        if start[offset:].startswith(signature):
            return media_type
    return "application/octet-stream"


def format_clock(seconds: float | None) -> str:
    """Format a time as `1:05` or `1:00:05`, and None as an empty string."""
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def format_percent(share: float) -> str:
    """Format a share as a percentage; show 0 % and 100 % only for exactly 0 and 1."""
    rounded = round(share * 100)
    if rounded == 0 and share > 0:
        return "< 1\N{NO-BREAK SPACE}%"
    if rounded == 100 and share < 1:
        return "> 99\N{NO-BREAK SPACE}%"
    return f"{rounded}\N{NO-BREAK SPACE}%"


def format_amount(number: float) -> str:
    """Format a number with two decimals, and negative zero without its sign."""
    return f"{round(number, 2) + 0.0:.2f}"


def _find_card(gallery: Gallery, video_id: str) -> VideoCard:
    """Look up a video by its id, which prevents path traversal; raise status 404 if it is unknown."""
    card = gallery.index().get(video_id)
    if card is None:
        raise HTTPException(404, "The corpus contains no such video.")
    return card


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise UploadRejectedError("The upload is incomplete.", 400) from error


def _notice_template(request: Request) -> str:
    """Return the template of a page, or of the fragment that the upload page inserts."""
    return "unavailable_part.html" if request.method == "POST" else "unavailable.html"


def _host_name(host: str) -> str:
    """Return the host name without the port; empty if the header is malformed or contains user information."""
    try:
        parts = urlsplit(f"//{host}")
    except ValueError:
        return ""
    return "" if "@" in host else parts.hostname or ""


def _is_same_origin(headers: Headers) -> bool:
    """Check `Sec-Fetch-Site` and `Origin`, which browsers always send with unsafe requests."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host", "")
