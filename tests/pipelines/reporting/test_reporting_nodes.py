"""The report, the model card and the contact sheets."""

import re

import pandas as pd
import plotly.graph_objects as go
import pytest

from video_recommender.media.frames import FrameFolder
from video_recommender.networks.detections import DetectionOptions
from video_recommender.pipelines.reporting.nodes import draw_frame_sheet, write_model_card, write_report
from video_recommender.reporting.thumbnails import draw_sheet
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.storage.partitions import Partitions

REPORT = pd.DataFrame(
    {
        "system": ["object_space", "random"],
        "candidates": "other_groups",
        "neighbours": 2,
        "videos": 6,
        "precision": [0.75, 0.4],
    }
)


@pytest.fixture
def page(
    frames: Partitions[FrameFolder],
    corpus: pd.DataFrame,
    category_predictions: pd.DataFrame,
    recommendations: pd.DataFrame,
) -> str:
    manifest = corpus[["video_id", "category", "group"]].assign(status="ok", error="")
    broken = pd.DataFrame(
        [["cats/broken", "cats", "cats/3", "damaged", "It ends <too> early"]], columns=manifest.columns
    )
    return write_report(
        pd.concat([manifest, broken]),
        manifest[["video_id", "status", "error"]].assign(frames=3),
        frames,
        corpus,
        category_predictions,
        {"accuracy": 0.6, "accuracy_majority": 0.5, "accuracy_std": 0.1, "accuracy_linear_svm": 0.6},
        pd.DataFrame({"category": ["cats", "dogs"], "precision": [0.5, 0.5]}),
        go.Figure(go.Heatmap(z=[[1]])),
        recommendations,
        REPORT,
        go.Figure(go.Bar(y=[1])),
        pd.DataFrame({"policy": "deep_q_network", "videos": ["all", "unseen"], "revenue_per_session": [6.5, 6.25]}),
        pd.DataFrame({"category": ["cats"], "ad_id": ["cats-long"]}),
    )


def test_the_report_is_self_contained(page: str) -> None:
    without_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)

    assert not re.search(r"""(src|href)=["'](?!data:|#)""", without_scripts)
    assert "<link" not in without_scripts


def test_the_report_lists_metrics_with_baselines(page: str) -> None:
    assert page.index("<td>linear svm</td><td>60.0%</td>") < page.index("<td>majority</td><td>50.0%</td>")
    assert "std</td>" not in page
    assert "75.0%" in page
    assert "6.250" in page


def test_every_video_in_the_report_has_a_thumbnail(page: str) -> None:
    shown = re.findall(r"<figcaption>([^<]+)", page)

    assert {"cats/a", "cats/c", "dogs/a", "dogs/b"} <= set(shown)
    for video_id in set(shown):
        assert f'alt="{video_id}"' in page


def test_names_of_videos_are_escaped(page: str) -> None:
    assert "It ends &lt;too&gt; early" in page
    assert "<b>ball</b>" not in page


def test_an_empty_corpus_has_a_report() -> None:
    corpus = pd.DataFrame(
        {"video_id": pd.Series(dtype="str"), "category": pd.Series(dtype="str"), "group": "", "status": ""}
    )
    nothing = corpus.assign(error="", frames=0)
    recommended = pd.DataFrame(columns=["video_id", "rank", "recommended_video_id", "similarity", "shared_objects"])
    predicted = pd.DataFrame(columns=["video_id", "category", "predicted_category", "probability", "fold"])
    empty = pd.DataFrame()

    page = write_report(
        nothing, nothing, Partitions(), corpus, predicted, {"accuracy": None}, empty, go.Figure(), recommended,
        REPORT.head(0), go.Figure(), empty, empty,
    )  # fmt: skip

    assert "0</b>usable videos in 0 categories" in page


def test_a_corpus_without_videos_has_a_contact_sheet() -> None:
    nothing = pd.DataFrame(columns=["video_id", "category", "group", "status", "error", "frames"])

    sheet = draw_frame_sheet(nothing, nothing, Partitions())

    assert sheet.size == draw_sheet([]).size


def test_the_model_card_lists_data_folds_metrics_and_licences(
    corpus: pd.DataFrame, category_predictions: pd.DataFrame, recommendations: pd.DataFrame
) -> None:
    ads = pd.DataFrame(
        {
            "policy": "deep_q_network",
            "videos": ["all", "unseen"],
            "revenue_per_session": 6.5,
            "revenue_low": 6.4,
            "revenue_high": 6.6,
        }
    )
    manifest = corpus[["video_id"]].assign(licence=["CC-BY", "CC-BY", None, None, None, None], source="demo")

    card = write_model_card(
        manifest,
        corpus,
        category_predictions,
        {"accuracy_majority": 0.5},
        recommendations,
        REPORT,
        ads,
        DetectionOptions(),
        FeatureOptions(),
        seed=0,
    )

    assert "EfficientNet-Lite0, ImageNet, Apache-2.0" in card
    assert "| cats | 3 | 2 |" in card
    assert "| CC-BY | 2 |" in card
    assert "| licences of the photos, see conf/base/demo_photos.csv | 4 |" in card
    assert "2 folds" in card
    assert "Accuracy of the category classifier: 0.600" in card
    assert re.search(r"0\.600 \(95 % confidence interval 0\.\d+ to \d\.\d+; 5 videos in 4 groups\)", card)
    assert "Precision@2 of the recommender: 0.625" in card
    assert "| deep_q_network | unseen | 6.500 | 6.400 to 6.600 |" in card
