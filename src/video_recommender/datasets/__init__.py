"""The project's own Kedro datasets."""

from .files import FrameFolderDataset, KerasModelDataset, VideoFileDataset
from .optional import OptionalDataset
from .previews import ParquetTableDataset, PreviewImageDataset
from .web_access import WebAccessDataset
from .wheel_photos import WheelPhotosDataset

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
