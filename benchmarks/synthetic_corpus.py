"""A synthetic corpus of any size without videos: class scores and frame hashes, drawn from categories and groups.

A category is a set of classes around a central class, with frequencies that follow Zipf's law by distance. A group (an
uploader) prefers some classes of its category. A video shows up to four objects, some of which occur in any category.
The network confuses similar objects. As a result, categories overlap and videos of a group are similar.

Frames are drawn as the low frequencies that a perceptual hash depends on. Their hashes differ between frames, zooms and
videos about as much as those of the demo. Some frames occur in many videos, and some videos are copies of others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from video_recommender.networks.detections import PROBABILITY_FLOOR
from video_recommender.similarity.duplicates import HashedFrames
from video_recommender.similarity.perceptual_hash import HASH_BITS

VIDEOS_PER_BLOCK = 1000
VIDEOS_PER_GROUP = 20
CLASSES_PER_CATEGORY = 80
"""Number of classes of a category."""
CLASSES_PER_GROUP = 12
"""Number of classes of a group."""
MAX_OBJECTS = 4
"""Maximum number of objects in a video."""
UNRELATED_OBJECTS = 0.25
"""Share of a video's objects that are independent of its category."""
SHARPNESS = (6.0, 14.0)
"""Range of the slope of the similarity, drawn per video: a steeper slope separates classes better."""
NOISE = 0.8
"""Standard deviation of the logarithm of each probability."""

FRAMES = (12, 31)
"""Range of the number of frames of a video (half-open); one per second."""
FRAMES_PER_SHOT = 3
COPY_EVERY = 100
"""One in this number of videos is a copy of another video; every other copy is cropped."""
COMPOSITIONS = 5000
"""Number of image compositions, such as a face before a dark wall; frequencies follow Zipf's law."""
COMMON_IMAGES = 20
SHOWS_COMMON_IMAGE = 0.01
"""Share of shots that show an image which occurs in many videos, such as a title."""
SHOT_CORRELATION, FRAME_CORRELATION, COPY_CORRELATION = 0.3, 0.92, 0.995
"""Correlations of the frequencies: of shots with one composition, frames of one shot, and copies of one frame."""
ZOOM_CORRELATIONS = (1.0, 0.98, 0.88, 0.7, 0.54)
"""Correlations of the frequencies of the whole image with those at each zoom."""


@dataclass(frozen=True)
class SyntheticVideos:
    """A block of videos.

    Attributes:
        video_ids: `<category>/video-<number>`.
        categories: number of each video's category, shape (videos,).
        groups: number of each video's group, shape (videos,).
        objects: class numbers of the objects, shape (videos, 4), most frequent first.
        shares: share of the video that shows each object, shape (videos, 4).
        probabilities: mean probability of each class, float32, shape (videos, classes); 0 below the floor.
    """

    video_ids: tuple[str, ...]
    categories: NDArray[np.int64]
    groups: NDArray[np.int64]
    objects: NDArray[np.int64]
    shares: NDArray[np.float64]
    probabilities: NDArray[np.float32]


class SyntheticCorpus:
    """Draws videos; the same seed and number of videos give the same corpus.

    Args:
        class_embeddings: rows of the network's last layer, index `class_name`.
        videos: number of videos.
        categories: number of categories.
        seed: random seed.
    """

    def __init__(self, class_embeddings: pd.DataFrame, videos: int, categories: int = 20, seed: int = 0) -> None:
        rows = class_embeddings.to_numpy(np.float64)
        rows = rows - rows.mean(axis=0)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.class_names = class_embeddings.index.to_numpy(str)
        self.videos = videos
        self._similarity = rows @ rows.T
        self._seed = seed
        random = np.random.default_rng(seed)
        self._class_frequencies = _zipf(random.permutation(len(rows)), len(rows))
        centres = random.choice(len(rows), categories, replace=False)
        category_frequencies = [
            _zipf(np.argsort(-self._similarity[centre])[:CLASSES_PER_CATEGORY], len(rows)) for centre in centres
        ]
        groups = max(videos // VIDEOS_PER_GROUP, 2 * categories)
        self._category_of_group = np.arange(groups) % categories
        popularity = 1 / np.arange(1, groups + 1) ** 0.5
        self._popularity = popularity / popularity.sum()
        self._group_frequencies = np.stack(
            [self._draw_group(random, category_frequencies[category]) for category in self._category_of_group]
        )

    def blocks(self) -> Iterator[SyntheticVideos]:
        """Draw all videos, a thousand at a time."""
        for start in range(0, self.videos, VIDEOS_PER_BLOCK):
            count = min(VIDEOS_PER_BLOCK, self.videos - start)
            yield self._draw(np.random.default_rng([self._seed, start]), start, count)

    def _draw_group(self, random: np.random.Generator, frequencies: NDArray[np.float64]) -> NDArray[np.float32]:
        group = np.zeros(len(frequencies), np.float32)
        preferred = random.choice(len(frequencies), CLASSES_PER_GROUP, replace=False, p=frequencies)
        group[preferred] = random.dirichlet(np.full(CLASSES_PER_GROUP, 0.5))
        return group

    def _draw(self, random: np.random.Generator, start: int, count: int) -> SyntheticVideos:
        groups = random.choice(len(self._popularity), count, p=self._popularity)
        categories = self._category_of_group[groups]
        own = (
            random.random((count, MAX_OBJECTS, 1)) > self._group_frequencies[groups].cumsum(axis=1)[:, np.newaxis]
        ).sum(axis=2)
        any_ = random.choice(len(self._class_frequencies), (count, MAX_OBJECTS), p=self._class_frequencies)
        objects = np.where(
            random.random((count, MAX_OBJECTS)) < UNRELATED_OBJECTS,
            any_,
            np.minimum(own, len(self._class_frequencies) - 1),
        )
        shares = np.sort(random.dirichlet(np.full(MAX_OBJECTS, 0.5), count))[:, ::-1]
        slopes = random.uniform(*SHARPNESS, (count, 1))
        probabilities = np.zeros((count, len(self._class_frequencies)))
        for place in range(MAX_OBJECTS):
            response = np.exp(slopes * (self._similarity[objects[:, place]] - 1))
            response *= random.lognormal(0, NOISE, response.shape)
            probabilities += shares[:, place : place + 1] * response / response.sum(axis=1, keepdims=True)
        probabilities[probabilities < PROBABILITY_FLOOR] = 0
        return SyntheticVideos(
            tuple(
                f"category-{category:02}/video-{start + number:07}"
                for number, category in enumerate(categories.tolist())
            ),
            categories,
            groups,
            objects,
            shares,
            probabilities.astype(np.float32),
        )


def draw_hashes(videos: int, seed: int, start: int) -> list[HashedFrames]:
    """Draw the frame hashes of a block of videos.

    Args:
        videos: number of videos.
        seed: random seed of the corpus.
        start: number of the first video of the block.
    """
    always = np.random.default_rng(seed)
    compositions = always.standard_normal((COMPOSITIONS, HASH_BITS))
    common = always.standard_normal((COMMON_IMAGES, HASH_BITS))
    popularity = _zipf(np.arange(COMPOSITIONS), COMPOSITIONS)
    random = np.random.default_rng([seed, start])
    images: list[NDArray[np.float64]] = []
    hashed = []
    for video in range(videos):
        if video % COPY_EVERY == COPY_EVERY - 1:
            crop = 2 * (video // COPY_EVERY % 2)
            shown = _mixed(random, images[video // COPY_EVERY][crop], COPY_CORRELATION)
        else:
            frames = int(random.integers(*FRAMES))
            shots = -(-frames // FRAMES_PER_SHOT)
            own = _mixed(random, compositions[random.choice(COMPOSITIONS, shots, p=popularity)], SHOT_CORRELATION)
            is_common = random.random(shots) < SHOWS_COMMON_IMAGE
            own[is_common] = common[random.integers(COMMON_IMAGES, size=is_common.sum())]
            own, is_common = (np.repeat(of_shots, FRAMES_PER_SHOT, axis=0)[:frames] for of_shots in (own, is_common))
            shown = np.where(
                is_common[:, np.newaxis], _mixed(random, own, COPY_CORRELATION), _mixed(random, own, FRAME_CORRELATION)
            )
        inside = random.standard_normal(shown.shape)
        zoomed = np.stack([zoom * shown + np.sqrt(1 - zoom**2) * inside for zoom in ZOOM_CORRELATIONS])
        images.append(zoomed)
        bits = zoomed > np.median(zoomed, axis=2, keepdims=True)
        bits[..., 0] = True  # mean brightness is always the largest
        hashes = np.packbits(bits, axis=2).view(">u8")[..., 0].T.astype(np.uint64)
        hashed.append(HashedFrames(np.arange(len(shown), dtype=float), hashes))
    return hashed


def _mixed(random: np.random.Generator, shared: NDArray[np.float64], correlation: float) -> NDArray[np.float64]:
    own = random.standard_normal(shared.shape)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own


def _zipf(ranked: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    weights = np.zeros(classes)
    weights[ranked] = 1 / np.arange(1, len(ranked) + 1)
    return weights / weights.sum()
