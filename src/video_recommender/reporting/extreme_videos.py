"""Single videos that show what a run does well and what it does badly."""

from dataclasses import dataclass

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.schemas import CategoryPredictions, Corpus, Recommendations


@dataclass(frozen=True)
class NamedVideo:
    """A video and the category that it was taken for by a classifier that had not seen it.

    Attributes:
        video_id: the video.
        category: its category.
        predicted_category: the one that it was taken for.
        probability: how sure the classifier was, 0 to 1.
    """

    video_id: str
    category: str
    predicted_category: str
    probability: float

    @property
    def is_right(self) -> bool:
        """Whether it was taken for what it is."""
        return self.category == self.predicted_category


@dataclass(frozen=True)
class Neighbour:
    """A recommended video.

    Attributes:
        video_id: the video.
        similarity: to the video that it is recommended with, -1 to 1.
        shared_objects: what makes the two alike; may be empty.
        is_right: whether it is of the same category.
    """

    video_id: str
    similarity: float
    shared_objects: str
    is_right: bool


@dataclass(frozen=True)
class RecommendedList:
    """A video and what is recommended with it.

    Attributes:
        video_id: the video.
        neighbours: the nearest first.
    """

    video_id: str
    neighbours: tuple[Neighbour, ...]

    @property
    def right(self) -> int:
        """How many are of the same category."""
        return sum(neighbour.is_right for neighbour in self.neighbours)


@dataclass(frozen=True)
class Extremes:
    """What went best and what went worst, the most telling first.

    Attributes:
        best: videos that were done well.
        worst: videos that were done badly.
    """

    best: tuple[NamedVideo, ...] | tuple[RecommendedList, ...]
    worst: tuple[NamedVideo, ...] | tuple[RecommendedList, ...]


def extreme_categories(
    category_predictions: DataFrame[CategoryPredictions], corpus: DataFrame[Corpus], cases: int
) -> Extremes:
    """Find the videos whose category was named right, and named wrong, with the greatest certainty.

    Args:
        category_predictions: those with a fold count, since their classifier had not seen them.
        corpus: the group of each video; one of each group is enough.
        cases: how many of either kind at most.

    Returns:
        See `Extremes`; there may be none of a kind.
    """
    held_out = category_predictions[category_predictions["fold"].notna()]
    ranked = held_out.merge(corpus[["video_id", "group"]], on="video_id").sort_values(
        ["probability", "video_id"], ascending=[False, True]
    )
    is_right = ranked["category"] == ranked["predicted_category"]
    best, worst = (_named(ranked[chosen].drop_duplicates("group").head(cases)) for chosen in (is_right, ~is_right))
    return Extremes(best, worst)


def extreme_recommendations(
    recommendations: DataFrame[Recommendations], corpus: DataFrame[Corpus], cases: int
) -> Extremes:
    """Find the videos with which most, and fewest, videos of the same category are recommended.

    Args:
        recommendations: the nearest videos of each.
        corpus: category and group of each video; only videos with a category are looked at, one of each group.
        cases: how many of either kind at most.

    Returns:
        See `Extremes`; no list is in both.
    """
    described = corpus.set_index("video_id")
    labelled = recommendations[recommendations["video_id"].map(described["category"]).notna()]
    is_right = labelled["video_id"].map(described["category"]) == labelled["recommended_video_id"].map(
        described["category"]
    )
    judged = labelled.assign(is_right=is_right)
    queries = judged.groupby("video_id").agg(right=("is_right", "mean"), similarity=("similarity", "mean"))
    queries = queries.join(described["group"]).reset_index()
    ranked = queries.sort_values(["right", "similarity", "video_id"], ascending=[False, False, True])
    best = ranked.drop_duplicates("group").head(cases)
    rest = ranked[~ranked["video_id"].isin(best["video_id"]) & (ranked["right"] < 1)]
    worst = rest.iloc[::-1].drop_duplicates("group").head(cases)
    return Extremes(_lists(judged, best["video_id"]), _lists(judged, worst["video_id"]))


def _named(predictions: pd.DataFrame) -> tuple[NamedVideo, ...]:
    columns = ("video_id", "category", "predicted_category", "probability")
    return tuple(NamedVideo(*values) for values in zip(*(predictions[name] for name in columns), strict=True))


def _lists(judged: pd.DataFrame, video_ids: "pd.Series[str]") -> tuple[RecommendedList, ...]:
    by_video = dict(iter(judged[judged["video_id"].isin(video_ids)].sort_values("rank").groupby("video_id")))
    return tuple(
        RecommendedList(
            video_id,
            tuple(
                Neighbour(neighbour, similarity, shared, is_right)
                for neighbour, similarity, shared, is_right in zip(
                    by_video[video_id]["recommended_video_id"],
                    by_video[video_id]["similarity"],
                    by_video[video_id]["shared_objects"],
                    by_video[video_id]["is_right"],
                    strict=True,
                )
            ),
        )
        for video_id in video_ids
    )
