"""Put what a run has found on one page."""

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt, PositiveInt

from video_recommender.incremental.partitions import Partitions
from video_recommender.media.frames import FrameFolder
from video_recommender.networks.detections import DetectionOptions
from video_recommender.reporting.contact_sheets import draw_sheet
from video_recommender.reporting.extreme_videos import (
    Extremes,
    NamedVideo,
    extreme_categories,
    extreme_recommendations,
)
from video_recommender.reporting.intervals import estimate_mean
from video_recommender.reporting.model_card import ModelCard, render_card
from video_recommender.reporting.page import CategoryOverview, Report, render
from video_recommender.reporting.sheet_rows import rows_of_detections, rows_of_frames, rows_of_neighbours
from video_recommender.reporting.thumbnails import thumbnail
from video_recommender.schemas import (
    AdChoices,
    AdPolicyReport,
    CategoryPredictions,
    CategoryReport,
    Corpus,
    Detections,
    FrameManifest,
    RecommendationReport,
    Recommendations,
    VideoManifest,
)
from video_recommender.similarity.object_space import FeatureOptions

ACCURACY = "accuracy_"
SPREAD = "accuracy_std"
DEMO_LICENCES = "of the photos: see conf/base/demo_photos.csv"


class ReportingOptions(BaseModel):
    """How much the report shows (parameters_reporting.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: PositiveInt = 8
    cases: PositiveInt = 4
    problems: PositiveInt = 50
    seed: NonNegativeInt = 0


def write_report(
    video_manifest: DataFrame[VideoManifest],
    frame_manifest: DataFrame[FrameManifest],
    frames: Partitions[FrameFolder],
    corpus: DataFrame[Corpus],
    category_predictions: DataFrame[CategoryPredictions],
    classification_metrics: dict[str, JsonValue],
    category_report: DataFrame[CategoryReport],
    confusion_matrix: go.Figure,
    recommendations: DataFrame[Recommendations],
    recommendation_report: DataFrame[RecommendationReport],
    recommendation_comparison: go.Figure,
    ad_policy_report: DataFrame[AdPolicyReport],
    unseen_ad_policy_report: DataFrame[AdPolicyReport],
    ad_choices: DataFrame[AdChoices],
    options: ReportingOptions,
) -> str:
    """Show the corpus, the figures beside their baselines, and videos that were done well and badly.

    Args:
        video_manifest: every video that was looked for.
        frame_manifest: how many frames each was cut into.
        frames: for the pictures; only those that are shown are read.
        corpus: category and group of each video.
        category_predictions: what each was taken for.
        classification_metrics: how often that is right, per model.
        category_report: the same per category.
        confusion_matrix: see `draw_confusion_matrix`.
        recommendations: the nearest videos of each.
        recommendation_report: how good they are, beside simpler ways to recommend.
        recommendation_comparison: the same as bars.
        ad_policy_report: what the agent and simpler policies earn.
        unseen_ad_policy_report: the same with videos of which agents have learnt nothing.
        ad_choices: which ad the agent shows when.
        options: see `ReportingOptions`.

    Returns:
        One HTML page that needs nothing else; the same inputs give the same bytes.
    """
    categories = _overview(video_manifest, frame_manifest, options.examples)
    named = extreme_categories(category_predictions, corpus, options.cases)
    recommended = extreme_recommendations(recommendations, corpus, options.cases)
    usable = frames.usable()
    shown = {*(video for category in categories for video in category.examples), *_shown(named), *_shown(recommended)}
    return render(
        Report(
            categories=categories,
            problems=_problems(video_manifest, frame_manifest).head(options.problems),
            accuracies=_accuracies(classification_metrics),
            category_report=category_report,
            confusion_matrix=confusion_matrix,
            named=named,
            recommendation_report=recommendation_report,
            recommendation_comparison=recommendation_comparison,
            recommended=recommended,
            ad_policy_report=pd.concat([ad_policy_report, unseen_ad_policy_report]),
            ad_choices=ad_choices,
            thumbnails={video: thumbnail(usable[video].load()) for video in sorted(shown & usable.keys())},
        )
    )


def write_model_card(
    video_manifest: DataFrame[VideoManifest],
    corpus: DataFrame[Corpus],
    category_predictions: DataFrame[CategoryPredictions],
    classification_metrics: dict[str, JsonValue],
    recommendations: DataFrame[Recommendations],
    recommendation_report: DataFrame[RecommendationReport],
    ad_policy_report: DataFrame[AdPolicyReport],
    unseen_ad_policy_report: DataFrame[AdPolicyReport],
    detection: DetectionOptions,
    features: FeatureOptions,
    options: ReportingOptions,
) -> str:
    """Tell what the models are, what they were made from, how good they are and what they cannot do.

    Args:
        video_manifest: the licence of each video.
        corpus: category and group of each.
        category_predictions: what each was taken for; those with a fold count.
        classification_metrics: the baseline.
        recommendations: the nearest videos of each.
        recommendation_report: how good they are without those of the same group.
        ad_policy_report: what the agent and simpler policies earn.
        unseen_ad_policy_report: the same with videos of which agents have learnt nothing.
        detection: which network names objects.
        features: which detector is used.
        options: see `ReportingOptions`.

    Returns:
        Markdown.
    """
    used = corpus[corpus["is_used"] & corpus["category"].notna()].set_index("video_id")
    held_out = category_predictions[category_predictions["fold"].notna()]
    is_named_right = (held_out["category"] == held_out["predicted_category"]).astype(float)
    known = recommendations[recommendations["video_id"].isin(used.index)]
    is_right = known["video_id"].map(used["category"]) == known["recommended_video_id"].map(
        corpus.set_index("video_id")["category"]
    )
    precision = is_right.astype(float).groupby(known["video_id"]).mean()
    others = recommendation_report.query("system == 'object_space' and candidates == 'other_groups'")["precision"]
    untold = video_manifest["source"].map({"demo": DEMO_LICENCES}).fillna("not told")
    licences = video_manifest["licence"].fillna(untold).value_counts().sort_index()
    majority = classification_metrics.get("accuracy_majority")
    return render_card(
        ModelCard(
            network=detection.network,
            detector=features.detector,
            corpus=used.groupby("category")["group"].agg(videos="size", groups="nunique").reset_index(),
            folds=int(held_out["fold"].nunique()),
            accuracy=estimate_mean(is_named_right, held_out["video_id"].map(used["group"]), options.seed),
            majority=float(majority) if isinstance(majority, int | float) else None,
            neighbours=int(recommendations["rank"].max()) if len(recommendations) else 0,
            precision=estimate_mean(precision, pd.Series(precision.index).map(used["group"]), options.seed),
            precision_other_groups=float(others.iloc[0]) if others.notna().any() else None,
            ads=pd.concat([ad_policy_report, unseen_ad_policy_report]),
            licences={str(name): int(videos) for name, videos in licences.items()},
        )
    )


def draw_frame_sheet(
    video_manifest: DataFrame[VideoManifest],
    frame_manifest: DataFrame[FrameManifest],
    frames: Partitions[FrameFolder],
    options: ReportingOptions,
) -> Image:
    """Show one frame of some videos of each category: a row per category.

    Args:
        video_manifest: category and group of each video.
        frame_manifest: which videos have frames.
        frames: only those that are shown are read.
        options: see `ReportingOptions`.
    """
    return draw_sheet(rows_of_frames(_overview(video_manifest, frame_manifest, options.examples), frames))


def draw_detection_sheet(
    video_manifest: DataFrame[VideoManifest],
    frame_manifest: DataFrame[FrameManifest],
    frames: Partitions[FrameFolder],
    detections: Partitions[DataFrame[Detections]],
    options: ReportingOptions,
) -> Image:
    """Show what the network has taken some frames of each category for: a row per category.

    Args:
        video_manifest: category and group of each video.
        frame_manifest: which videos have frames.
        frames: only those that are shown are read.
        detections: the object in each frame, with its confidence.
        options: see `ReportingOptions`.
    """
    categories = _overview(video_manifest, frame_manifest, options.examples)
    return draw_sheet(rows_of_detections(categories, frames, detections.usable()))


def draw_neighbour_sheet(
    recommendations: DataFrame[Recommendations],
    corpus: DataFrame[Corpus],
    frames: Partitions[FrameFolder],
) -> Image:
    """Show a video of each category and those that are recommended with it: a row per category.

    Args:
        recommendations: the nearest videos of each.
        corpus: category of each video.
        frames: only those that are shown are read.
    """
    return draw_sheet(rows_of_neighbours(recommendations, corpus.set_index("video_id")["category"], frames))


def _overview(
    video_manifest: pd.DataFrame, frame_manifest: pd.DataFrame, examples: int
) -> tuple[CategoryOverview, ...]:
    cut = frame_manifest.set_index("video_id")
    rows = video_manifest.assign(
        category=video_manifest["category"].fillna(""),
        frames=video_manifest["video_id"].map(cut["frames"]).fillna(0).astype(int),
        is_usable=video_manifest["video_id"].map(cut["status"]).eq("ok"),
    ).sort_values("video_id")
    return tuple(
        CategoryOverview(
            name=str(name),
            videos=len(videos),
            usable=int(videos["is_usable"].sum()),
            frames=int(videos["frames"].sum()),
            # of as many groups as there are: videos of one group look alike
            examples=tuple(
                videos[videos["is_usable"]]
                .assign(nth=lambda table: table.groupby("group").cumcount())
                .sort_values(["nth", "video_id"])["video_id"]
                .head(examples)
            ),
        )
        for name, videos in rows.groupby("category")
    )


def _problems(video_manifest: pd.DataFrame, frame_manifest: pd.DataFrame) -> pd.DataFrame:
    rows = pd.concat([table[["video_id", "status", "error"]] for table in (video_manifest, frame_manifest)])
    return rows[rows["status"] != "ok"].drop_duplicates("video_id").sort_values("video_id")


def _accuracies(metrics: dict[str, JsonValue]) -> dict[str, float]:
    told = {
        name.removeprefix(ACCURACY).replace("_", " "): float(value)
        for name, value in metrics.items()
        if name.startswith(ACCURACY) and name != SPREAD and isinstance(value, int | float)
    }
    return dict(sorted(told.items(), key=lambda pair: (-pair[1], pair[0])))


def _shown(extremes: Extremes) -> set[str]:
    shown = set()
    for video in (*extremes.best, *extremes.worst):
        shown.add(video.video_id)
        if not isinstance(video, NamedVideo):
            shown |= {neighbour.video_id for neighbour in video.neighbours}
    return shown
