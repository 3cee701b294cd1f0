"""Pandera schemas of the tables that pass between pipelines.

The catalog assigns a schema to each table, which is validated when it is saved and loaded.
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
from .classification import CategoryPredictions, CategoryReport
from .deduplication import Corpus, FrameHashes, NearDuplicates
from .detection import ClassEmbeddings, ClassScores, DetectionManifest, Detections, MeanEmbedding
from .feature_engineering import SpaceMap, VideoFeatures, VideoPoints
from .ingestion import DownloadReport, VideoManifest
from .preprocessing import FrameManifest
from .recommendation import ImportanceReport, RecommendationReport, Recommendations
from .segmentation import SegmentationManifest, Segmentations, SegmentationScores
from .table_models import ROUNDING_LIMIT
from .transfer_learning import SkippedImages, TrainingImagePredictions

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
