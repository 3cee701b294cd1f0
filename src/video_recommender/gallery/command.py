"""`kedro gallery`: serve the gallery on this machine."""

import contextlib
import logging
import os
import socket
import threading
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.utils import find_kedro_project

if TYPE_CHECKING:
    from fastapi import FastAPI


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: a free one.")
@click.option("--browser/--no-browser", " /--no-open", "opens", default=True, help="Whether to open it in the browser.")
@click.option("-e", "--env", default=None, help="Kedro configuration environment.")
@click.option("--max-upload-mb", default=500, show_default=True, type=click.IntRange(1), help="Size of a new video.")
def gallery(host: str, port: int, opens: bool, env: str | None, max_upload_mb: int) -> None:
    """Show the videos with their results, and analyse new ones, on a local web page."""
    import uvicorn

    server_socket = _listen(host, port)
    root = find_kedro_project(Path.cwd()) or Path.cwd()
    app = create_project_app(root, env, max_upload_mb, host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{server_socket.getsockname()[1]}/"
    click.echo(f"The gallery is at {url} (stop it with Ctrl+C)")
    if opens:
        threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
    settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[server_socket])


def create_project_app(root: Path, env: str | None, max_upload_mb: int, host: str = "127.0.0.1") -> "FastAPI":
    """Create the web application of a Kedro project.

    Args:
        root: the project's folder.
        env: Kedro environment; None for the default one.
        max_upload_mb: maximum size of an upload, in megabytes.
        host: address of the server.

    Raises:
        ClickException: if the project's data is in an object store.
    """
    from video_recommender.gallery.catalog_data import CatalogData
    from video_recommender.gallery.gallery import Gallery, Sampling
    from video_recommender.gallery.loopback_guard import LOOPBACK
    from video_recommender.gallery.new_video import NewVideoAnalyst
    from video_recommender.gallery.project_data import ProjectData
    from video_recommender.gallery.uploads import UploadLimits
    from video_recommender.gallery.web_app import create_app
    from video_recommender.media.sampling import PreprocessingOptions
    from video_recommender.networks.object_segmenter import SegmentationOptions
    from video_recommender.reporting.thumbnails import ThumbnailCache
    from video_recommender.similarity.recommender import RecommendationOptions

    bootstrap_project(root)
    session: Any = KedroSession.create(project_path=root, env=env, save_on_close=False)
    with session:
        context = session.load_context()
    logging.getLogger("kedro.io.data_catalog").setLevel(logging.WARNING)
    data = str(context.config_loader["globals"]["data"])
    if "://" in data:
        raise click.ClickException(
            f"The gallery reads local files only: copy {data} to a local folder and set `data` in globals.yml to it"
        )
    parameters: dict[str, Any] = context.params
    sampling = Sampling(
        PreprocessingOptions.model_validate(parameters["preprocessing"]),
        SegmentationOptions.model_validate(parameters["segmentation"]).every_nth_frame,
    )
    thumbnails = ThumbnailCache(root / data / "08_reporting" / "gallery_thumbnails")
    videos = Gallery(ProjectData(CatalogData(context.catalog, root), env or ""), thumbnails, sampling)
    recommendation = RecommendationOptions.model_validate(parameters["recommendation"])
    analyst = NewVideoAnalyst(videos, sampling, recommendation, UploadLimits(megabytes=max_upload_mb))
    threading.Thread(target=videos.preload, daemon=True).start()
    is_loopback = host in LOOPBACK
    if not is_loopback:
        click.echo(f"Anyone who can reach {host} can see the videos: there is no password", err=True)
    return create_app(videos, analyst, LOOPBACK if is_loopback else None)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason, hint = os.strerror(error.errno or 0), f"try another port: kedro gallery --port {port + 1}"
        raise click.ClickException(f"Cannot listen on {host}:{port} ({reason}): {hint}") from error


def _open_browser(url: str) -> None:
    time.sleep(1)  # until the server answers
    webbrowser.open(url)
