"""The pages of the gallery: thin, all they know they ask the gallery for."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from video_recommender.gallery import video_index
from video_recommender.gallery.gallery import Gallery
from video_recommender.gallery.loopback_guard import LOOPBACK, LoopbackGuard
from video_recommender.gallery.media_type import media_type_of
from video_recommender.gallery.new_video import NewVideoAnalyst
from video_recommender.gallery.page_texts import FILTERS
from video_recommender.gallery.project_data import UnavailableError
from video_recommender.gallery.uploads import UploadRefusedError, received
from video_recommender.gallery.video_index import VideoCard

HERE: Final = Path(__file__).parent
FOR_A_YEAR: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
ASK_AGAIN: Final = {"Cache-Control": "private, no-cache"}


def create_app(gallery: Gallery, analyst: NewVideoAnalyst, hosts: frozenset[str] | None = LOOPBACK) -> FastAPI:
    """Put the pages together.

    Args:
        gallery: the corpus.
        analyst: tells all of a new video.
        hosts: see `LoopbackGuard`.
    """
    app = FastAPI(title="Video gallery", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(LoopbackGuard, hosts=hosts)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    pages = _templates()

    @app.get("/", response_class=HTMLResponse)
    def show_grid(
        request: Request,
        category: Annotated[str, Query(max_length=200)] = "",
        shows: Annotated[str, Query(max_length=100)] = "",
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> Response:
        query = video_index.Query(category, shows, page)
        index = gallery.index()
        context = {"query": query, "index": index, "found": index.find(query), "problems": gallery.problems()}
        return pages.TemplateResponse(request, "grid.html", context)

    @app.get("/videos/{video_id:path}", response_class=HTMLResponse)
    def show_video(request: Request, video_id: str) -> Response:
        card = _card(gallery, video_id)
        has_file = gallery.video_file(card) is not None
        context = {
            "details": gallery.details(card),
            "has_file": has_file,
            "command": gallery.project.command_for("videos"),
        }
        return pages.TemplateResponse(request, "video.html", context)

    @app.get("/files/{video_id:path}")
    def send_file(video_id: str) -> FileResponse:
        file = gallery.video_file(_card(gallery, video_id))
        if file is None:
            raise HTTPException(404, "The file of this video is gone.")
        return FileResponse(file, media_type=media_type_of(file), headers=ASK_AGAIN)

    @app.get("/thumbnails/{video_id:path}")
    def send_thumbnail(video_id: str, version: str = "") -> Response:
        card = _card(gallery, video_id)
        jpeg = gallery.thumbnail(card)
        if jpeg is None:
            raise HTTPException(404, "There is no picture of this video.")
        headers = FOR_A_YEAR if version == card.thumbnail else ASK_AGAIN
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @app.get("/new", response_class=HTMLResponse)
    def show_upload(request: Request) -> Response:
        context = {"problem": analyst.problem(), "ceilings": analyst.ceilings}
        return pages.TemplateResponse(request, "new.html", context)

    @app.post("/new", response_class=HTMLResponse)
    async def analyse_upload(request: Request) -> Response:
        with _turn_of(analyst):
            async with received(_chunks(request), analyst.ceilings) as place:
                details = await run_in_threadpool(analyst.analyse, place)
        return pages.TemplateResponse(request, "new_answer.html", {"details": details})

    @app.exception_handler(UnavailableError)
    def tell_what_to_run(request: Request, error: UnavailableError) -> Response:
        return pages.TemplateResponse(request, _page(request, "unavailable"), {"problem": error.problem}, 503)

    @app.exception_handler(UploadRefusedError)
    def tell_why_refused(request: Request, error: UploadRefusedError) -> Response:
        return pages.TemplateResponse(request, "refused.html", {"message": str(error)}, error.status)

    @app.exception_handler(Exception)
    def tell_that_it_does_not_fit(request: Request, _: Exception) -> Response:
        return pages.TemplateResponse(request, _page(request, "unavailable"), {"problem": gallery.misfit()}, 500)

    @app.exception_handler(RequestValidationError)
    def tell_that_it_is_not_understood(request: Request, _: RequestValidationError) -> Response:
        return pages.TemplateResponse(request, "error.html", {"message": "The address is not understood."}, 422)

    @app.exception_handler(HTTPException)
    def tell_what_is_wrong(request: Request, error: HTTPException) -> Response:
        return pages.TemplateResponse(request, "error.html", {"message": error.detail}, error.status_code)

    return app


def _templates() -> Jinja2Templates:
    templates = Jinja2Templates(directory=HERE / "templates")
    templates.env.filters.update(FILTERS)
    templates.env.globals["NO_CATEGORY"] = video_index.NO_CATEGORY
    return templates


def _card(gallery: Gallery, video_id: str) -> VideoCard:
    """Look a video up by its name; what is not a name of one never becomes part of a path."""
    card = gallery.index().get(video_id)
    if card is None:
        raise HTTPException(404, "There is no such video in the corpus.")
    return card


@contextmanager
def _turn_of(analyst: NewVideoAnalyst) -> Iterator[None]:
    problem = analyst.problem()
    if problem is not None:
        raise UnavailableError(problem)
    analyst.begin()
    try:
        yield
    finally:
        analyst.end()


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise UploadRefusedError("The file did not arrive whole.", 400) from error


def _page(request: Request, name: str) -> str:
    """A whole page, or just the part that a page's script has asked for."""
    return f"{name}_part.html" if request.method == "POST" else f"{name}.html"
