"""A picture in the catalog that kedro-viz shows."""

import base64

from kedro_datasets._typing import ImagePreview
from kedro_datasets.pillow import ImageDataset


class PreviewImageDataset(ImageDataset):  # type: ignore[misc] # kedro-datasets has no types
    """A picture file, as Pillow knows it: a notebook shows what is loaded, kedro-viz its preview.

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
        """The file's bytes in base 64 (RFC 4648), for kedro-viz."""
        return ImagePreview(base64.b64encode(self._fs.cat_file(str(self._get_load_path()))).decode())
