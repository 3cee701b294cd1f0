"""The command `kedro gallery`, which serves the gallery of a Kedro project on this machine."""

import contextlib
import logging
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, DatasetError
from kedro.utils import find_kedro_project
from kedro.validation import DataValidationError

from video_recommender.gallery.project_data import CREATED_BY, ProjectData, UnreadableDataError
from video_recommender.incremental.dataset_files import dataset_location
from video_recommender.storage.partitions import Partitions

if TYPE_CHECKING:
    from fastapi import FastAPI

READ_ERRORS: Final = (DatasetError, DataValidationError, OSError, ValueError, ImportError, AttributeError)
"""Raised by unreadable files; the last three by pickles from another version of the code."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free port.")
@click.option("--browser/--no-browser", " /--no-open", "opens", default=True, help="Open the gallery in a browser.")
@click.option("-e", "--env", default=None, help="Kedro configuration environment.")
@click.option("--max-upload-mb", default=500, show_default=True, type=click.IntRange(1), help="Size limit of uploads.")
def gallery(host: str, port: int, opens: bool, env: str | None, max_upload_mb: int) -> None:
    """Show videos and their results, and analyse new videos, in a browser."""
    import uvicorn

    server_socket = _listen(host, port)
    root = find_kedro_project(Path.cwd()) or Path.cwd()
    app = create_project_app(root, env, max_upload_mb, host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{server_socket.getsockname()[1]}/"
    click.echo(f"Serving the gallery at {url} (press Ctrl+C to stop)")
    if opens:
        opener = threading.Timer(1, webbrowser.open, [url])  # the server needs a moment to start
        opener.daemon = True
        opener.start()
    settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[server_socket])


def create_project_app(root: Path, env: str | None, max_upload_mb: int, host: str = "127.0.0.1") -> "FastAPI":
    """Create the gallery of the Kedro project in `root`; raise a `ClickException` if its data is not local."""
    from video_recommender.gallery.gallery import Gallery, ThumbnailCache
    from video_recommender.gallery.new_video import NewVideoAnalyst, UploadLimits
    from video_recommender.gallery.web_app import LOOPBACK, create_app
    from video_recommender.media.sampling import PreprocessingOptions
    from video_recommender.networks.object_segmenter import SegmentationOptions
    from video_recommender.similarity.recommender import RecommendationOptions

    bootstrap_project(root)
    session: Any = KedroSession.create(project_path=root, env=env, save_on_close=False)
    with session:
        context = session.load_context()
    logging.getLogger("kedro.io.data_catalog").setLevel(logging.WARNING)
    data = str(context.config_loader["globals"]["data"])
    if "://" in data:
        raise click.ClickException(
            f"The gallery reads only local files: copy {data} to a local folder and set `data` in globals.yml to it"
        )
    parameters: dict[str, Any] = context.params
    preprocessing = PreprocessingOptions.model_validate(parameters["preprocessing"])
    every_nth_frame = SegmentationOptions.model_validate(parameters["segmentation"]).every_nth_frame
    thumbnails = ThumbnailCache(root / data / "08_reporting" / "gallery_thumbnails")
    project = ProjectData(CatalogData(context.catalog, root), env or "")
    videos = Gallery(project, thumbnails, preprocessing, every_nth_frame)
    recommendation = RecommendationOptions.model_validate(parameters["recommendation"])
    analyst = NewVideoAnalyst(videos, recommendation, UploadLimits(megabytes=max_upload_mb))
    threading.Thread(target=videos.preload, daemon=True).start()
    is_loopback = host in LOOPBACK
    if not is_loopback:
        click.echo(f"Warning: the gallery has no password. Anyone who can reach {host} can see the videos.", err=True)
    return create_app(videos, analyst, LOOPBACK if is_loopback else None)


class CatalogData:
    """A `DataSource` that reads the catalog of the project in the folder `root`."""

    def __init__(self, catalog: DataCatalog, root: Path) -> None:
        self._catalog = catalog
        # A catalog creates datasets on first access, which is not thread-safe. Access all of them now.
        self._paths = {name: root / _local_path(catalog[name]) for name in catalog if name in CREATED_BY}

    def path(self, name: str) -> Path:
        """See `DataSource`."""
        return self._paths[name]

    def load(self, name: str) -> Any:
        """See `DataSource`."""
        loaded = _read(lambda: self._catalog.load(name))
        if not isinstance(loaded, Partitions):
            return loaded
        return Partitions(loaded.states, lambda video_id: _read(loaded[video_id]))


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason, hint = os.strerror(error.errno or 0), f"use another port, for example `kedro gallery --port {port + 1}`"
        raise click.ClickException(f"Cannot listen on {host}:{port} ({reason}): {hint}") from error


def _local_path(dataset: Any) -> str:
    location = dataset_location(dataset)
    if location is None:
        raise ValueError(f"{type(dataset).__name__} has no path: use a dataset type that saves to a file")
    return location[1]


def _read(load: Callable[[], Any]) -> Any:
    try:
        return load()
    except READ_ERRORS as error:
        lines = str(error).strip().splitlines()
        raise UnreadableDataError(lines[-1] if lines else type(error).__name__) from error
