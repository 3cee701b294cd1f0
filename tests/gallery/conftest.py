"""A corpus of coloured clips, described by the project's own functions but for a network that knows three colours."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn
from coloured_films import COLOURS, film
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sklearn.linear_model import LogisticRegression

from video_recommender.advertising.example_viewers import assignment_ads
from video_recommender.gallery.gallery import Gallery, Sampling
from video_recommender.gallery.new_video import NewVideoAnalyst
from video_recommender.gallery.project_data import BrokenFileError, ProjectData
from video_recommender.gallery.thumbnails import ThumbnailCache
from video_recommender.gallery.uploads import UploadCeilings
from video_recommender.gallery.web_app import create_app
from video_recommender.incremental.partitions import PartitionRecord, Partitions, StoredPartition
from video_recommender.media.sampling import sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.networks.detections import name_objects
from video_recommender.networks.frame_classifier import FrameDescriptions
from video_recommender.reporting.answer import InferenceOptions
from video_recommender.similarity.importance import scores_from_class_scores
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.recommender import VideoRecommender

PER_CATEGORY = 12
CATEGORIES = {"fruit": ("tomato", "lime"), "views": ("sky", "lime")}
BROKEN = "views/broken"


class ColourNetwork:
    """Sees in each picture what is most of its colour."""

    class_names = tuple(COLOURS)

    def describe(self, frames):
        means = frames.reshape(len(frames), -1, 3).mean(axis=1)
        sure = np.exp(means / 40)
        probabilities = (sure / sure.sum(axis=1, keepdims=True)).astype(np.float32)
        return FrameDescriptions(probabilities, means.astype(np.float32))


class MemoryStore:
    """Keeps in memory what a project keeps in files; a file each tells whether it is there and when it was made."""

    def __init__(self, folder: Path, tables: dict[str, Any]) -> None:
        self._folder = folder
        self._tables: dict[str, Any] = {}
        self._broken: set[str] = set()
        self._sizes = count(1)
        for name, content in tables.items():
            self.save(name, content)

    def place(self, name: str) -> Path:
        return self._folder / name

    def load(self, name: str) -> Any:
        if name in self._broken:
            raise BrokenFileError("not a table")
        return self._tables[name]

    def save(self, name: str, content: Any) -> None:
        self._tables[name] = content
        self._broken.discard(name)
        self.place(name).write_bytes(b"x" * next(self._sizes))

    def lose(self, *names: str) -> None:
        for name in names:
            self.place(name).unlink()

    def spoil(self, name: str) -> None:
        self._broken.add(name)
        self.place(name).write_bytes(b"x" * next(self._sizes))


def partitions(contents: dict[str, Any]) -> Partitions[Any]:
    return Partitions(
        {
            video_id: StoredPartition(PartitionRecord(f"made of {video_id}"), lambda content=content: content)
            for video_id, content in contents.items()
        }
    )


def shown_in(category: str, number: int) -> tuple[str, str]:
    """The first films of a category begin with its one colour, the others with the other one."""
    first, second = CATEGORIES[category]
    return (first, second) if number < PER_CATEGORY // 2 else (second, first)


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {
        f"{category}/clip-{number:02}": film(folder / category / f"{number}.mp4", *shown_in(category, number))
        for category in CATEGORIES
        for number in range(PER_CATEGORY)
    }


@pytest.fixture(scope="session")
def made(films) -> dict[str, Any]:
    """Everything that the runs of a project would have made."""
    network, options = ColourNetwork(), Sampling().preprocessing
    frames = {video_id: sample_frames(VideoFile(path), options).frames for video_id, path in films.items()}
    named = {video_id: name_objects(pictures, network) for video_id, pictures in frames.items()}
    ids = pd.Index(sorted(films), name="video_id", dtype=str)
    categories = pd.Series([video_id.split("/")[0] for video_id in ids], ids, dtype="str")
    scores = scores_from_class_scores(
        [one.class_scores.assign(video_id=video_id) for video_id, one in named.items()],
        ids,
        pd.Index(COLOURS),
    )
    embeddings = pd.DataFrame(np.eye(3, dtype=np.float32), pd.Index(COLOURS, name="class_name"), list("abc"))
    space = ObjectSpace(FeatureOptions()).fit(scores, embeddings)
    features = space.importances(scores)
    points = space.transform(features)
    recommender = VideoRecommender().fit(points)
    recommendations = recommender.recommend(points, 10)
    recommendations["shared_objects"] = space.shared_objects(
        features.loc[recommendations["video_id"]], features.loc[recommendations["recommended_video_id"]]
    )
    manifest = pd.DataFrame(
        {"video_id": [*ids, BROKEN], "category": [*categories, "views"], "status": "ok", "error": ""}
    )
    manifest["title"] = [f"Film {number}" for number in range(len(manifest))]
    manifest["duration_s"] = 2.0
    manifest.loc[manifest["video_id"] == BROKEN, ["status", "error", "duration_s"]] = (
        "unreadable",
        "It is no video",
        None,
    )
    predictions = pd.DataFrame({"video_id": ids, "category": categories.to_numpy(), "probability": 0.75, "fold": 1})
    predictions["predicted_category"] = predictions["category"]
    return {
        "video_manifest": manifest,
        "videos": partitions({video_id: VideoFile(path) for video_id, path in films.items()}),
        "frames": Partitions(),
        "frame_manifest": pd.DataFrame({"video_id": ids, "frames": [len(frames[one]) for one in ids], "times_s": ""}),
        "detections": partitions({video_id: one.detections for video_id, one in named.items()}),
        "object_classifier": network,
        "object_space": space,
        "video_features": features,
        "video_points": points,
        "category_classifier": LogisticRegression().fit(points, categories),
        "category_predictions": predictions,
        "recommender": recommender,
        "recommendations": recommendations,
        "ads": assignment_ads(),
        "ad_recommendations": pd.DataFrame({"video_id": ids, "ad_id": "cats-long", "expected_reward": 0.9}),
    }


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
    return NewVideoAnalyst(gallery, Sampling(), InferenceOptions(), UploadCeilings(megabytes=1, minutes=1))


@pytest.fixture
def app(gallery, analyst) -> FastAPI:
    return create_app(gallery, analyst)


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


@dataclass(frozen=True)
class Served:
    """A gallery that listens."""

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
