"""Nodes that write the report, the model card and the contact sheets."""

from typing import Final

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from PIL.Image import Image
from pydantic import JsonValue

from video_recommender.media.frames import FrameFolder
from video_recommender.networks.detections import DetectionOptions
from video_recommender.reporting.examples import extreme_categories, extreme_recommendations, summarise_categories
from video_recommender.reporting.report import ModelCard, Report, estimate_mean, render_model_card, render_report
from video_recommender.reporting.thumbnails import draw_sheet, rows_of_frames, rows_of_neighbours, thumbnail_uri
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
from video_recommender.storage.partitions import Partitions

EXAMPLES: Final = 8  # videos per category, so that one row of a contact sheet fits the width of a screen
EXTREMES: Final = 4
"""Number of best and worst results, which limits the size of the report: each result has up to ten thumbnails."""
LISTED_PROBLEMS: Final = 50
"""Maximum number of unusable videos in the report. `video_manifest` and `frame_manifest` list all unusable videos."""

ACCURACY: Final = "accuracy_"
ACCURACY_SPREAD: Final = "accuracy_std"
DEMO_LICENCES: Final = "licences of the photos, see conf/base/demo_photos.csv"


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
    ad_choices: DataFrame[AdChoices],
) -> str:
    """Render the corpus, the metrics with baselines, and the best and worst results as one HTML page.

    Only the frames of the videos on the page are read. The output is deterministic.
    """
    categories = summarise_categories(video_manifest, frame_manifest, EXAMPLES)
    classified = extreme_categories(category_predictions, corpus, EXTREMES)
    recommended = extreme_recommendations(recommendations, corpus, EXTREMES)
    examples = {video for category in categories for video in category.examples}
    shown = examples | classified.video_ids() | recommended.video_ids()
    return render_report(
        Report(
            categories=categories,
            problems=_problems(video_manifest, frame_manifest).head(LISTED_PROBLEMS),
            accuracies=_accuracies(classification_metrics),
            category_report=category_report,
            confusion_matrix=confusion_matrix,
            classified=classified,
            recommendation_report=recommendation_report,
            recommendation_comparison=recommendation_comparison,
            recommended=recommended,
            ad_policy_report=ad_policy_report,
            ad_choices=ad_choices,
            thumbnails={video: thumbnail_uri(frames.load(video)) for video in sorted(shown & frames.keys())},
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
    detection: DetectionOptions,
    feature_options: FeatureOptions,
    seed: int,
) -> str:
    """Describe the task, training data, metrics and limitations of the models in Markdown."""
    used = corpus[corpus["is_used"] & corpus["category"].notna()].set_index("video_id")
    held_out = category_predictions[category_predictions["fold"].notna()]
    is_correct = (held_out["category"] == held_out["predicted_category"]).astype(float)
    known = recommendations[recommendations["video_id"].isin(used.index)]
    is_relevant = known["video_id"].map(used["category"]) == known["recommended_video_id"].map(
        corpus.set_index("video_id")["category"]
    )
    precision = is_relevant.astype(float).groupby(known["video_id"]).mean()
    others = recommendation_report.query("system == 'object_space' and candidates == 'other_groups'")["precision"]
    unknown_licence = video_manifest["source"].map({"demo": DEMO_LICENCES}).fillna("unknown")
    licences = video_manifest["licence"].fillna(unknown_licence).value_counts().sort_index()
    majority = classification_metrics.get("accuracy_majority")
    return render_model_card(
        ModelCard(
            network=detection.network,
            detector=feature_options.detector,
            corpus=used.groupby("category")["group"].agg(videos="size", groups="nunique").reset_index(),
            folds=int(held_out["fold"].nunique()),
            accuracy=estimate_mean(is_correct, held_out["video_id"].map(used["group"]), seed),
            majority=float(majority) if isinstance(majority, int | float) else None,
            neighbours=int(recommendations["rank"].max()) if len(recommendations) else 0,
            precision=estimate_mean(precision, pd.Series(precision.index).map(used["group"]), seed),
            precision_other_groups=float(others.iloc[0]) if others.notna().any() else None,
            ads=ad_policy_report,
            licences={str(name): int(videos) for name, videos in licences.items()},
        )
    )


def draw_frame_sheet(
    video_manifest: DataFrame[VideoManifest], frame_manifest: DataFrame[FrameManifest], frames: Partitions[FrameFolder]
) -> Image:
    """Draw the middle frames of up to eight videos of each category, one row per category."""
    return draw_sheet(rows_of_frames(summarise_categories(video_manifest, frame_manifest, EXAMPLES), frames))


def draw_detection_sheet(
    video_manifest: DataFrame[VideoManifest],
    frame_manifest: DataFrame[FrameManifest],
    frames: Partitions[FrameFolder],
    detections: Partitions[DataFrame[Detections]],
) -> Image:
    """Draw the middle frames of up to eight videos of each category with their detections, one row per category."""
    categories = summarise_categories(video_manifest, frame_manifest, EXAMPLES)
    return draw_sheet(rows_of_frames(categories, frames, detections))


def draw_neighbour_sheet(
    recommendations: DataFrame[Recommendations], corpus: DataFrame[Corpus], frames: Partitions[FrameFolder]
) -> Image:
    """Draw one video of each category with its recommendations, one row per category."""
    return draw_sheet(rows_of_neighbours(recommendations, corpus.set_index("video_id")["category"], frames))


def _problems(video_manifest: pd.DataFrame, frame_manifest: pd.DataFrame) -> pd.DataFrame:
    rows = pd.concat([table[["video_id", "status", "error"]] for table in (video_manifest, frame_manifest)])
    return rows[rows["status"] != "ok"].drop_duplicates("video_id").sort_values("video_id")


def _accuracies(metrics: dict[str, JsonValue]) -> dict[str, float]:
    accuracies = {
        name.removeprefix(ACCURACY).replace("_", " "): float(value)
        for name, value in metrics.items()
        if name.startswith(ACCURACY) and name != ACCURACY_SPREAD and isinstance(value, int | float)
    }
    return dict(sorted(accuracies.items(), key=lambda pair: (-pair[1], pair[0])))
