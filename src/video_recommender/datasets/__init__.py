"""The project's own Kedro datasets."""

from .frame_folder import FrameFolderDataset
from .image import PreviewImageDataset
from .keras_model import KerasModelDataset
from .optional import OptionalDataset
from .parquet_table import ParquetTableDataset
from .video_file import VideoFileDataset
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
