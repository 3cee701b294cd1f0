"""Schemas of the tables that pass between pipelines (pandera).

The catalog names the schema of each table, which is checked when the table is saved or loaded.
"""

from .advertising import (
    AdChoices,
    AdLearningCurve,
    AdObservations,
    AdPolicyReport,
    AdRecommendations,
    Ads,
    AdSessionLog,
    OffPolicyReport,
)
from .ingestion import DownloadReport, VideoManifest
from .networks import (
    ClassEmbeddings,
    ClassScores,
    DetectionManifest,
    Detections,
    MeanEmbedding,
    SegmentationManifest,
    Segmentations,
    SegmentationScores,
    SkippedImages,
    TrainingImagePredictions,
)
from .preprocessing import FrameManifest
from .similarity import (
    CategoryPredictions,
    CategoryReport,
    Corpus,
    FrameHashes,
    ImportanceReport,
    NearDuplicates,
    RecommendationReport,
    Recommendations,
    SpaceMap,
    VideoFeatures,
    VideoPoints,
)
from .table_models import ROUNDING_LIMIT

__all__ = [
    "ROUNDING_LIMIT",
    "AdChoices",
    "AdLearningCurve",
    "AdObservations",
    "AdPolicyReport",
    "AdRecommendations",
    "AdSessionLog",
    "Ads",
    "CategoryPredictions",
    "CategoryReport",
    "ClassEmbeddings",
    "ClassScores",
    "Corpus",
    "DetectionManifest",
    "Detections",
    "DownloadReport",
    "FrameHashes",
    "FrameManifest",
    "ImportanceReport",
    "MeanEmbedding",
    "NearDuplicates",
    "OffPolicyReport",
    "RecommendationReport",
    "Recommendations",
    "SegmentationManifest",
    "SegmentationScores",
    "Segmentations",
    "SkippedImages",
    "SpaceMap",
    "TrainingImagePredictions",
    "VideoFeatures",
    "VideoManifest",
    "VideoPoints",
]
