"""Index of all videos, with filters by category and object."""

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
MIN_SHARE: Final = 0.05  # minimum share of a video's total importance for an object to be listed and found
NO_CATEGORY: Final = "/"
"""Query value for videos without a category. Categories are folder names, which cannot contain a slash."""


@dataclass(frozen=True)
class VideoCard:
    """A video in the grid, with its most important objects in descending order. Unknown text is empty.

    `error` is the reason why the video is not usable; `thumbnail` is the version of the thumbnail.
    """

    video_id: str
    title: str
    category: str
    duration_s: float | None
    objects: tuple[str, ...]
    error: str
    thumbnail: str


@dataclass(frozen=True)
class Query:
    """A category or `NO_CATEGORY`, part of an object's name (an empty string matches everything), and a page from 1."""

    category: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True)
class ResultPage:
    """A page of results: its videos, the total number of videos, the page number from 1, and the number of pages."""

    cards: tuple[VideoCard, ...]
    videos: int
    page: int
    pages: int


class VideoIndex:
    """All videos in alphabetical order; `thumbnails` maps `video_id` to the version of the thumbnail."""

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
        objects = self._main_objects()
        self._cards = {
            row["video_id"]: VideoCard(
                video_id=row["video_id"],
                title=row["title"] or row["video_id"],
                category=row["category"] if isinstance(row["category"], str) else "",
                duration_s=None if pd.isna(row["duration_s"]) else float(row["duration_s"]),
                objects=objects.get(row["video_id"], ()),
                error="" if row["status"] == "ok" else row["error"] or row["status"],
                thumbnail=thumbnails.get(row["video_id"], ""),
            )
            for row in manifest.sort_values("video_id").to_dict("records")
        }

    def __len__(self) -> int:
        return len(self._cards)

    def get(self, video_id: str) -> VideoCard | None:
        """Return the card of a video; None if the id is unknown."""
        return self._cards.get(video_id)

    def categories(self) -> dict[str, int]:
        """Count videos per category, in alphabetical order; the last key, `NO_CATEGORY`, counts videos without one."""
        counts = Counter(card.category or NO_CATEGORY for card in self._cards.values())
        return dict(sorted(counts.items(), key=lambda count: (count[0] == NO_CATEGORY, count[0])))

    def objects(self) -> tuple[str, ...]:
        """List all searchable objects in alphabetical order."""
        is_searchable = (self._shares >= MIN_SHARE).any(axis=0)
        return tuple(sorted(self._names[is_searchable].tolist(), key=str.lower))

    def find(self, query: Query) -> ResultPage:
        """Find the videos of a category that show an object, in descending order of the object's share."""
        found = list(self._cards.values()) if not query.text.strip() else self._showing(query.text)
        if query.category:
            wanted = "" if query.category == NO_CATEGORY else query.category
            found = [card for card in found if card.category == wanted]
        pages = max(1, -(-len(found) // VIDEOS_PER_PAGE))
        page = min(max(query.page, 1), pages)
        shown = found[(page - 1) * VIDEOS_PER_PAGE : page * VIDEOS_PER_PAGE]
        return ResultPage(tuple(shown), len(found), page, pages)

    def _showing(self, text: str) -> list[VideoCard]:
        part = text.strip().lower()
        matching = np.array([part in name.lower() for name in self._names], dtype=bool)
        shares = np.where(self._shares >= MIN_SHARE, self._shares, 0)[:, matching].sum(axis=1)
        ranked = np.argsort(-shares, kind="stable")
        names = self._rows[ranked[shares[ranked] > 0]]
        return [self._cards[name] for name in names if name in self._cards]

    def _main_objects(self) -> dict[str, tuple[str, ...]]:
        strongest = np.argsort(-self._shares, axis=1, kind="stable")[:, :SHOWN_OBJECTS]
        return {
            str(video_id): tuple(str(self._names[column]) for column in columns if row[column] >= MIN_SHARE)
            for video_id, row, columns in zip(self._rows, self._shares, strongest, strict=True)
        }
