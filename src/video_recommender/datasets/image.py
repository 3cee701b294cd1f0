"""An image that kedro-viz previews."""

import base64

from kedro_datasets._typing import ImagePreview
from kedro_datasets.pillow import ImageDataset

from video_recommender.incremental.dataset_location import dataset_config, locate_entry


class PreviewImageDataset(ImageDataset):  # type: ignore[misc] # kedro-datasets has no types
    """Pillow's image dataset with a preview for kedro-viz.

    Examples:
        ```yaml
        frame_sheet:
          type: video_recommender.datasets.PreviewImageDataset
          filepath: data/08_reporting/frame_sheet.jpg
        ```

        >>> from PIL import Image
        >>> from video_recommender.datasets import PreviewImageDataset
        >>> dataset = PreviewImageDataset(filepath=f"{tmp_path}/red.png")
        >>> dataset.save(Image.new("RGB", (4, 3), color="red"))
        >>> dataset.load().size
        (4, 3)
    """

    def preview(self) -> ImagePreview:
        """Return the file in base 64 (RFC 4648)."""
        filesystem, path = locate_entry(*dataset_config("image", self))
        return ImagePreview(base64.b64encode(filesystem.cat_file(path)).decode())
