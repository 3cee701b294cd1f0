"""A small corpus of videos in plain colours, with all results of a project, from a network with three classes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from coloured_videos import COLOURS, write_video
from sklearn.linear_model import LogisticRegression

from video_recommender.advertising.environment import example_viewers
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.networks.detections import classify_frames
from video_recommender.networks.frame_classifier import FramePredictions
from video_recommender.similarity.importance import scores_from_class_scores
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.recommender import VideoRecommender
from video_recommender.storage.partitions import Partitions, PartitionState

PER_CATEGORY = 12
CATEGORIES = {"fruit": ("tomato", "lime"), "views": ("sky", "lime")}
BROKEN = "views/broken"


class ColourNetwork:
    """Detects the dominant colour of each frame."""

    class_names = tuple(COLOURS)

    def predict(self, frames):
        means = frames.reshape(len(frames), -1, 3).mean(axis=1)
        scores = np.exp(means / 40)
        probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        return FramePredictions(probabilities, means.astype(np.float32))


@dataclass(frozen=True)
class ConstantPolicy:
    """Estimates constant action values, independent of the observation."""

    values: tuple[float, ...]

    def action_values(self, observations):
        return np.tile(np.array(self.values, np.float32), (len(observations), 1))


def partitions(contents: dict[str, Any]) -> Partitions[Any]:
    return Partitions.from_values(contents, {name: PartitionState(digest=f"digest of {name}") for name in contents})


def shown_in(category: str, number: int) -> tuple[str, str]:
    """Return the two colours of a video: half of the videos of a category start with the first colour."""
    first, second = CATEGORIES[category]
    return (first, second) if number < PER_CATEGORY // 2 else (second, first)


@pytest.fixture(scope="session")
def video_files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("video_files")
    return {
        f"{category}/clip-{number:02}": write_video(folder / category / f"{number}.mp4", *shown_in(category, number))
        for category in CATEGORIES
        for number in range(PER_CATEGORY)
    }


@pytest.fixture(scope="session")
def made(video_files) -> dict[str, Any]:
    """The datasets of a finished project."""
    network, options = ColourNetwork(), PreprocessingOptions()
    frames = {video_id: sample_frames(VideoFile(path), options).frames for video_id, path in video_files.items()}
    named = {video_id: classify_frames(images, network) for video_id, images in frames.items()}
    ids = pd.Index(sorted(video_files), name="video_id", dtype=str)
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
    manifest["title"] = [f"Video {number}" for number in range(len(manifest))]
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
        "videos": partitions({video_id: VideoFile(path) for video_id, path in video_files.items()}),
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
        "viewer_model": replace(example_viewers(videos_per_category=len(ids) // 3), video_ids=tuple(ids)),
        "ad_policy": ConstantPolicy((0.5, 0.4, 0.3, 0.2, 0.1, 0.0)),
    }
