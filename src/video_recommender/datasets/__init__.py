"""The project's own Kedro datasets."""

from .deferred import DeferredDataset
from .frame_folder import FrameFolderDataset
from .keras_model import KerasModelDataset
from .optional import OptionalDataset
from .parquet_table import ParquetTableDataset
from .picture import PictureDataset
from .recorded_partitions import RecordedPartitionedDataset
from .video_file import VideoFileDataset
from .web_access import WebAccessDataset
from .wheel_photos import WheelPhotosDataset

__all__ = [
    "DeferredDataset",
    "FrameFolderDataset",
    "KerasModelDataset",
    "OptionalDataset",
    "ParquetTableDataset",
    "PictureDataset",
    "RecordedPartitionedDataset",
    "VideoFileDataset",
    "WebAccessDataset",
    "WheelPhotosDataset",
]
