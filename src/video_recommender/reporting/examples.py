"""Select the videos of the report: examples of each category, and the best and worst results."""

from dataclasses import dataclass

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.schemas import CategoryPredictions, Corpus, FrameManifest, Recommendations, VideoManifest


@dataclass(frozen=True)
class CategoryOverview:
    """Counts and usable example videos of one category; an empty name stands for videos without a category."""

    name: str
    videos: int
    usable: int
    frames: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ClassifiedVideo:
    """A held-out video with its true category, its predicted category and the probability of this prediction."""

    video_id: str
    category: str
    predicted_category: str
    probability: float

    @property
    def is_correct(self) -> bool:
        """Whether the predicted category is the true one."""
        return self.category == self.predicted_category


@dataclass(frozen=True)
class RatedNeighbour:
    """A recommended video, its cosine similarity, the shared objects, and whether it has the category of the query."""

    video_id: str
    similarity: float
    shared_objects: str
    is_correct: bool


@dataclass(frozen=True)
class RatedList:
    """A video and its recommendations, nearest first."""

    video_id: str
    neighbours: tuple[RatedNeighbour, ...]

    @property
    def correct(self) -> int:
        """Number of neighbours with the category of the query."""
        return sum(neighbour.is_correct for neighbour in self.neighbours)


@dataclass(frozen=True)
class Extremes:
    """The best and the worst results, each sorted from the most extreme."""

    best: tuple[ClassifiedVideo, ...] | tuple[RatedList, ...]
    worst: tuple[ClassifiedVideo, ...] | tuple[RatedList, ...]

    def video_ids(self) -> set[str]:
        """Collect the `video_id` of every video, including neighbours."""
        shown = (*self.best, *self.worst)
        lists = [one for one in shown if isinstance(one, RatedList)]
        return {one.video_id for one in shown} | {near.video_id for one in lists for near in one.neighbours}


def summarise_categories(
    video_manifest: DataFrame[VideoManifest], frame_manifest: DataFrame[FrameManifest], examples: int
) -> tuple[CategoryOverview, ...]:
    """Count the videos of each category and select up to `examples` of them from as many groups as possible."""
    extracted = frame_manifest.set_index("video_id")
    rows = video_manifest.assign(
        category=video_manifest["category"].fillna(""),
        frames=video_manifest["video_id"].map(extracted["frames"]).fillna(0).astype(int),
        is_usable=video_manifest["video_id"].map(extracted["status"]).eq("ok"),
    ).sort_values("video_id")
    return tuple(
        CategoryOverview(
            name=str(name),
            videos=len(videos),
            usable=int(videos["is_usable"].sum()),
            frames=int(videos["frames"].sum()),
            examples=tuple(
                videos[videos["is_usable"]]
                .assign(number_in_group=lambda table: table.groupby("group").cumcount())
                .sort_values(["number_in_group", "video_id"])["video_id"]
                .head(examples)
            ),
        )
        for name, videos in rows.groupby("category")
    )


def extreme_categories(
    category_predictions: DataFrame[CategoryPredictions], corpus: DataFrame[Corpus], count: int
) -> Extremes:
    """Select the most confident correct and wrong held-out predictions, at most `count` of each, one per group."""
    held_out = category_predictions[category_predictions["fold"].notna()]
    ranked = held_out.merge(corpus[["video_id", "group"]], on="video_id").sort_values(
        ["probability", "video_id"], ascending=[False, True]
    )
    is_correct = ranked["category"] == ranked["predicted_category"]
    best, worst = (_classified(ranked[rows].drop_duplicates("group").head(count)) for rows in (is_correct, ~is_correct))
    return Extremes(best, worst)


def extreme_recommendations(
    recommendations: DataFrame[Recommendations], corpus: DataFrame[Corpus], count: int
) -> Extremes:
    """Select the videos with the most and the fewest recommendations of the same category, at most `count` of each.

    Ignores videos without a category and selects one video per group. No list is in both selections, and the worst
    lists contain at least one recommendation of another category.
    """
    described = corpus.set_index("video_id")
    category = described["category"]
    labelled = recommendations[recommendations["video_id"].map(category).notna()]
    is_correct = labelled["video_id"].map(category) == labelled["recommended_video_id"].map(category)
    rated = labelled.assign(is_correct=is_correct)
    queries = rated.groupby("video_id").agg(correct=("is_correct", "mean"), similarity=("similarity", "mean"))
    queries = queries.join(described["group"]).reset_index()
    ranked = queries.sort_values(["correct", "similarity", "video_id"], ascending=[False, False, True])
    best = ranked.drop_duplicates("group").head(count)
    rest = ranked[~ranked["video_id"].isin(best["video_id"]) & (ranked["correct"] < 1)]
    worst = rest.iloc[::-1].drop_duplicates("group").head(count)
    return Extremes(_lists(rated, best["video_id"]), _lists(rated, worst["video_id"]))


def _classified(predictions: pd.DataFrame) -> tuple[ClassifiedVideo, ...]:
    columns = ["video_id", "category", "predicted_category", "probability"]
    return tuple(ClassifiedVideo(*row) for row in predictions[columns].itertuples(index=False, name=None))


def _lists(rated: pd.DataFrame, video_ids: "pd.Series[str]") -> tuple[RatedList, ...]:
    rows = rated[rated["video_id"].isin(video_ids)].sort_values("rank")
    columns = ["recommended_video_id", "similarity", "shared_objects", "is_correct"]
    neighbours = {
        video_id: tuple(RatedNeighbour(*row) for row in own[columns].itertuples(index=False, name=None))
        for video_id, own in rows.groupby("video_id")
    }
    return tuple(RatedList(video_id, neighbours[video_id]) for video_id in video_ids)
