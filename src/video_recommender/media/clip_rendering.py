"""Render clips from photos, with camera movement, cuts, brightness changes, sensor noise and compression."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from io import BytesIO
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from video_recommender.media.frames import Photo, RgbImage
from video_recommender.storage.digests import fingerprint

# Pixels of the photo per pixel of the clip at full view: enough to zoom in, few enough to avoid aliasing
OVERSAMPLING: Final = 1.5
# Pixels by which the noise of a clip is larger than a frame, so that each frame can use a different window
NOISE_MARGIN: Final = 64
# Luma Y, and chroma U and V at half the size, uint8 (ITU-R BT.601)
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
_ZERO_LEVELS: Final = (16, 128, 128)
_INTERPOLATION: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class Framing(BaseModel, extra="forbid", frozen=True):
    """Position of the virtual camera over a photo at one moment."""

    zoom: float  # size of the crop relative to the largest crop with the clip's aspect ratio
    right: float  # offset of the crop's centre from the photo's focus, in crop widths
    down: float  # vertical offset, in crop heights
    roll: float  # degrees


class PhotoShot(BaseModel, extra="forbid", frozen=True):
    """A camera movement over one photo, optionally mirrored left to right. `frames` is the number of frames."""

    photo: Photo
    frames: int
    start: Framing
    end: Framing
    mirrored: bool


class ClipRecipe(BaseModel, extra="forbid", frozen=True):
    """Everything that determines the bytes of a clip."""

    video_id: str
    category: str
    pool: int  # number of the photo pool (1-based)
    seed: int  # random seed of the noise
    width: int
    height: int
    fps: Fraction
    shots: tuple[PhotoShot, ...]
    brightness: tuple[float, float]  # gain at the start and at the end
    noise: float  # standard deviation, grey levels of 255
    crf: int  # constant rate factor of x264

    @property
    def frames(self) -> int:
        """Number of frames of the clip."""
        return sum(shot.frames for shot in self.shots)

    @property
    def group(self) -> str:
        """Name of the photo pool. Clips of different groups have no photo in common."""
        return f"{self.category}/pool-{self.pool}"

    @property
    def title(self) -> str:
        """Names of the scenes, such as `puppy, bear`, which do not reveal the category."""
        return ", ".join(dict.fromkeys(shot.photo.scene for shot in self.shots))

    @property
    def photos(self) -> str:
        """Comma-separated file names of the photos."""
        return ",".join(dict.fromkeys(shot.photo.name for shot in self.shots))

    @property
    def digest(self) -> str:
        """Digest of the recipe and the content of the photos, independent of their paths."""
        location = {"shots": {"__all__": {"photo": {"path", "member"}}}}
        return fingerprint(self.model_dump(mode="json", exclude=location))


def render_clip(recipe: ClipRecipe) -> bytes:
    """Render a clip as an MP4 file (H.264, yuv420p, no sound), or raise a `VideoError` if a photo is unreadable.

    Encoding uses one thread, which makes the bytes reproducible.
    """
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(
            "libx264", rate=recipe.fps, options={"preset": "ultrafast", "crf": str(recipe.crf)}
        )
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in _render_frames(recipe):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))
        container.mux(stream.encode())
    return file.getvalue()


def _render_frames(recipe: ClipRecipe) -> Iterator[NDArray[np.uint8]]:
    """Render the frames as planes Y, U and V (ITU-R BT.601), uint8, shape (height * 3 / 2, width)."""
    width, height = size = (recipe.width, recipe.height)
    brighter, darker = _noise(recipe)
    windows = np.random.default_rng(recipe.seed).integers(0, NOISE_MARGIN, (recipe.frames, 2))
    gains = np.geomspace(*recipe.brightness, recipe.frames)
    photos = {shot.photo: _planes(_scale(shot.photo, size)) for shot in recipe.shots}
    cameras = ((photos[shot.photo], camera) for shot in recipe.shots for camera in _camera(shot, photos, size))
    for (photo, camera), gain, (top, left) in zip(cameras, gains, windows, strict=True):
        frame = np.empty((height * 3 // 2, width), np.uint8)
        for source, plane, matrix, zero in zip(photo, _split(frame), _matrices(camera), _ZERO_LEVELS, strict=True):
            cv2.warpAffine(source, matrix, plane.shape[::-1], plane, _INTERPOLATION, cv2.BORDER_REFLECT_101)
            cv2.addWeighted(plane, gain, plane, 0, zero * (1 - gain), plane)
        luma, window = frame[:height], np.s_[top : top + height, left : left + width]
        cv2.add(luma, brighter[window], luma)
        cv2.subtract(luma, darker[window], luma)
        yield frame


def _planes(image: RgbImage) -> Planes:
    """Convert an image to planes, cropped to an even width and height."""
    height, width = (side // 2 * 2 for side in image.shape[:2])
    return _split(cv2.cvtColor(image[:height, :width], cv2.COLOR_RGB2YUV_I420).astype(np.uint8, copy=False))


def _split(frame: NDArray[np.uint8]) -> Planes:
    """Return views of the planes Y, U and V in a frame of shape (height * 3 / 2, width)."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    blue, red = frame[height:].reshape(2, height // 2, width // 2)
    return frame[:height], blue, red


def _matrices(camera: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the affine maps of Y, U and V. Each sample of U and V is at the centre of 2 x 2 samples of Y."""
    linear, shift = camera[:, :2], camera[:, 2]
    halved = np.column_stack([linear, (linear @ [0.5, 0.5] + shift - 0.5) / 2])
    return camera, halved, halved


def _noise(recipe: ClipRecipe) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shape = (recipe.height + NOISE_MARGIN, recipe.width + NOISE_MARGIN)
    grain = np.random.default_rng(recipe.seed).standard_normal(shape, np.float32) * recipe.noise
    return np.rint(grain.clip(0, 255)).astype(np.uint8), np.rint((-grain).clip(0, 255)).astype(np.uint8)


def _scale(photo: Photo, size: tuple[int, int]) -> RgbImage:
    """Scale a photo so that its largest crop with the clip's aspect ratio is `OVERSAMPLING` times the clip's size."""
    width, height = (round(OVERSAMPLING * side) for side in size)
    image = photo.decode(width, height)
    scale = max(width / image.shape[1], height / image.shape[0])
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _camera(shot: PhotoShot, photos: Mapping[Photo, Planes], size: tuple[int, int]) -> NDArray[np.float64]:
    """Compute the affine map from frame to photo pixels for each frame, shape (frames, 2, 3)."""
    luma = photos[shot.photo][0]
    photo_height, photo_width = luma.shape
    width, height = size
    start, end = (
        np.array([np.log(framing.zoom), framing.right, framing.down, np.radians(framing.roll)])
        for framing in (shot.start, shot.end)
    )
    time = np.linspace(0, 1, shot.frames)
    eased = time**2 * (3 - 2 * time)
    zoom, right, down, roll = start[:, None] + (end - start)[:, None] * eased
    scale = np.exp(zoom) * min(photo_width / width, photo_height / height)
    focus_x, focus_y = _focus(luma)
    centre_x = np.clip(focus_x + right * scale * width, scale * width / 2, photo_width - scale * width / 2)
    centre_y = np.clip(focus_y + down * scale * height, scale * height / 2, photo_height - scale * height / 2)
    mirror = -1 if shot.mirrored else 1
    cosine, sine = scale * np.cos(roll), scale * np.sin(roll)
    linear = np.array([[mirror * cosine, -sine], [mirror * sine, cosine]]).transpose(2, 0, 1)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.stack([centre_x, centre_y], axis=1) - 0.5 - linear @ middle
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def _focus(luma: NDArray[np.uint8]) -> tuple[float, float]:
    """Locate the most detailed area of a photo by the centroid (x, y) of the squared gradient, in pixels."""
    small = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA)
    energy = cv2.Sobel(small, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(small, cv2.CV_32F, 0, 1) ** 2 + 1e-3
    moments = cv2.moments(energy)
    right, down = ((moments[moment] / moments["m00"] + 0.5) / 64 for moment in ("m10", "m01"))
    return right * luma.shape[1], down * luma.shape[0]
