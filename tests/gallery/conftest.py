"""A gallery of a small corpus of single-colour videos."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from coloured_corpus import made, video_files
from fastapi import FastAPI
from fastapi.testclient import TestClient

from video_recommender.gallery.gallery import Gallery, ThumbnailCache
from video_recommender.gallery.new_video import NewVideoAnalyst, UploadLimits
from video_recommender.gallery.project_data import ProjectData, UnreadableDataError
from video_recommender.gallery.web_app import create_app
from video_recommender.similarity.recommender import RecommendationOptions

__all__ = ["made", "video_files"]


class MemoryStore:
    """In-memory datasets, each with a file whose size changes with every save, so that caches notice the change."""

    def __init__(self, folder: Path, tables: dict[str, Any]) -> None:
        self._folder = folder
        self._tables: dict[str, Any] = {}
        self._broken: set[str] = set()
        self._sizes = count(1)
        for name, content in tables.items():
            self.save(name, content)

    def path(self, name: str) -> Path:
        return self._folder / name

    def load(self, name: str) -> Any:
        if name in self._broken:
            raise UnreadableDataError("not a table")
        return self._tables[name]

    def save(self, name: str, content: Any) -> None:
        self._tables[name] = content
        self._broken.discard(name)
        self.path(name).write_bytes(b"x" * next(self._sizes))

    def delete(self, *names: str) -> None:
        for name in names:
            self.path(name).unlink()

    def corrupt(self, name: str) -> None:
        self._broken.add(name)
        self.path(name).write_bytes(b"x" * next(self._sizes))


@pytest.fixture
def store(tmp_path, made) -> MemoryStore:
    folder = tmp_path / "store"
    folder.mkdir()
    return MemoryStore(folder, made)


@pytest.fixture
def thumbnails(tmp_path) -> Path:
    return tmp_path / "thumbnails"


@pytest.fixture
def gallery(store, thumbnails) -> Gallery:
    return Gallery(ProjectData(store), ThumbnailCache(thumbnails))


@pytest.fixture
def analyst(gallery) -> NewVideoAnalyst:
    return NewVideoAnalyst(gallery, RecommendationOptions(), UploadLimits(megabytes=1, minutes=1))


@pytest.fixture
def app(gallery, analyst) -> FastAPI:
    return create_app(gallery, analyst)


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


@dataclass(frozen=True)
class Served:
    """A gallery on a local port."""

    address: str


@pytest.fixture
def served(app) -> Iterator[Served]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield Served(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    server.should_exit = True
    thread.join()
