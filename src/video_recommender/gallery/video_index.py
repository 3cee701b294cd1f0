"""All videos with what the grid shows of them: to filter by category and to search by object."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.schemas import VideoFeatures, VideoManifest

VIDEOS_PER_PAGE: Final = 48
SHOWN_OBJECTS: Final = 3
SEEN_SHARE: Final = 0.05
"""A video counts as showing what makes up at least this share of all that was seen in it."""
NO_CATEGORY: Final = "/"
"""Stands for videos without a category in a query; no category is called so, because folders cannot be."""


@dataclass(frozen=True)
class VideoCard:
    """One video as the grid shows it.

    Attributes:
        video_id: its name.
        title: what to call it.
        category: empty where it has none.
        duration_s: None where it could not be told.
        objects: what it shows most, most important first.
        trouble: why it cannot be used; empty where it can.
        thumbnail: changes with the picture; empty where there is none.
    """

    video_id: str
    title: str
    category: str
    duration_s: float | None
    objects: tuple[str, ...]
    trouble: str
    thumbnail: str


@dataclass(frozen=True)
class CategoryCount:
    """A category and how many videos it has."""

    category: str
    videos: int


@dataclass(frozen=True)
class Query:
    """What to show in the grid.

    Attributes:
        category: empty for all, `NO_CATEGORY` for videos that have none.
        text: part of an object's name; empty for all.
        page: from 1.
    """

    category: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True)
class ResultPage:
    """A page of the grid.

    Attributes:
        cards: the videos.
        videos: how many were found in all.
        page: which one this is, from 1.
        pages: how many there are, at least 1.
    """

    cards: tuple[VideoCard, ...]
    videos: int
    page: int
    pages: int


class VideoIndex:
    """The videos in alphabetical order.

    Args:
        manifest: all videos.
        features: how important each object is in each video; None where that is not known yet.
        thumbnails: changes with a video's picture, by `video_id`.
    """

    def __init__(
        self,
        manifest: DataFrame[VideoManifest],
        features: DataFrame[VideoFeatures] | None,
        thumbnails: Mapping[str, str],
    ) -> None:
        self._names = np.array([] if features is None else features.columns, dtype=str)
        self._shares, self._rows = np.zeros((0, len(self._names))), pd.Index([])
        if features is not None:
            amounts = features.to_numpy(np.float64)
            totals = amounts.sum(axis=1, keepdims=True)
            self._shares = np.divide(amounts, totals, out=np.zeros_like(amounts), where=totals > 0)
            self._rows = features.index
        seen = self._most_seen()
        self._cards = {
            row["video_id"]: VideoCard(
                video_id=row["video_id"],
                title=row["title"] or row["video_id"],
                category=row["category"] if isinstance(row["category"], str) else "",
                duration_s=None if pd.isna(row["duration_s"]) else float(row["duration_s"]),
                objects=seen.get(row["video_id"], ()),
                trouble="" if row["status"] == "ok" else row["error"] or row["status"],
                thumbnail=thumbnails.get(row["video_id"], ""),
            )
            for row in manifest.sort_values("video_id").to_dict("records")
        }

    def __len__(self) -> int:
        return len(self._cards)

    def get(self, video_id: str) -> VideoCard | None:
        """One video; None if there is no such."""
        return self._cards.get(video_id)

    def categories(self) -> tuple[CategoryCount, ...]:
        """The categories in alphabetical order; videos without one come last, as `NO_CATEGORY`."""
        counts = Counter(card.category or NO_CATEGORY for card in self._cards.values())
        ordered = sorted(counts.items(), key=lambda count: (count[0] == NO_CATEGORY, count[0]))
        return tuple(CategoryCount(category, videos) for category, videos in ordered)

    def objects(self) -> tuple[str, ...]:
        """The names of all objects that are among what some video shows, in alphabetical order."""
        seen = (self._shares >= SEEN_SHARE).any(axis=0)
        return tuple(sorted(self._names[seen].tolist(), key=str.lower))

    def find(self, query: Query) -> ResultPage:
        """Find videos: those of a category that show an object, most of it first."""
        found = list(self._cards.values()) if not query.text.strip() else self._showing(query.text)
        if query.category:
            wanted = "" if query.category == NO_CATEGORY else query.category
            found = [card for card in found if card.category == wanted]
        pages = max(1, -(-len(found) // VIDEOS_PER_PAGE))
        page = min(max(query.page, 1), pages)
        shown = found[(page - 1) * VIDEOS_PER_PAGE : page * VIDEOS_PER_PAGE]
        return ResultPage(tuple(shown), len(found), page, pages)

    def _showing(self, text: str) -> list[VideoCard]:
        wanted = text.strip().lower()
        matching = np.array([wanted in name.lower() for name in self._names], dtype=bool)
        shares = np.where(self._shares >= SEEN_SHARE, self._shares, 0)[:, matching].sum(axis=1)
        ranked = np.argsort(-shares, kind="stable")
        names = self._rows[ranked[shares[ranked] > 0]]
        return [self._cards[name] for name in names if name in self._cards]

    def _most_seen(self) -> dict[str, tuple[str, ...]]:
        strongest = np.argsort(-self._shares, axis=1, kind="stable")[:, :SHOWN_OBJECTS]
        return {
            str(video_id): tuple(str(self._names[column]) for column in columns if row[column] >= SEEN_SHARE)
            for video_id, row, columns in zip(self._rows, self._shares, strongest, strict=True)
        }
