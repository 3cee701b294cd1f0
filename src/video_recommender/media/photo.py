"""A photo by reference: a file, or a member of a zip file such as a wheel."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile

import cv2
import numpy as np
from pydantic import BaseModel

from video_recommender.media.frames import Picture
from video_recommender.media.video import VideoError

_SCALES = (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_COLOR)


class Photo(BaseModel, extra="forbid", frozen=True):
    """A photo that crosses process borders without its pixels.

    Attributes:
        scene: common to photos of the same room, table or animal.
        digest: of the content.
        path: the file, or the zip file that contains it as `member`.
    """

    category: str
    name: str
    scene: str
    digest: str
    path: Path
    member: str = ""

    def read(self) -> bytes:
        """Read the encoded photo, or raise a `VideoError` (`unreadable`)."""
        try:
            if not self.member:
                return self.path.read_bytes()
            with ZipFile(self.path) as archive:
                return archive.read(self.member)
        except (OSError, KeyError, BadZipFile) as error:
            raise VideoError("unreadable", f"Photo {self.name} cannot be read from {self.path}: {error}") from error

    def decode(self, width: int, height: int) -> Picture:
        """Decode the photo at the smallest scale (1/8, 1/4, 1/2 or 1) that covers a size in pixels."""
        encoded = np.frombuffer(self.read(), np.uint8)
        picture = None
        for scale in _SCALES if encoded.size else ():
            picture = cv2.imdecode(encoded, scale)
            if picture is None or (picture.shape[1] >= width and picture.shape[0] >= height):
                break
        if picture is None:
            raise VideoError("unreadable", f"Photo {self.name} is not a readable picture: remove {self.path}")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
