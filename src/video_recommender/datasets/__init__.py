"""The project's own Kedro datasets."""

from .files import (
    FrameFolderDataset,
    KerasModelDataset,
    OptionalDataset,
    ParquetTableDataset,
    PreviewImageDataset,
    VideoFileDataset,
)
from .ingestion_inputs import WebAccessDataset, WheelPhotosDataset

__all__ = [
    "FrameFolderDataset",
    "KerasModelDataset",
    "OptionalDataset",
    "ParquetTableDataset",
    "PreviewImageDataset",
    "VideoFileDataset",
    "WebAccessDataset",
    "WheelPhotosDataset",
]
