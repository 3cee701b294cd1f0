"""Turn a video into a few small square pictures per second."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, repeat
from typing import Final, Literal, TypeVar, cast

import av
import cv2
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt

from video_recommender.media.decoding import OpenVideo, Orientation, open_video
from video_recommender.media.frame_skipping import (
    TOLERANCE_S,
    NeedlessPictures,
    samples_before,
)
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.shots import ShotOptions, find_shots
from video_recommender.media.timestamps import PictureClock, Shown
from video_recommender.media.video import Video, VideoFile

T = TypeVar("T")

VERSION: Final = 2
"""Raised when the same video and options would give other frames than before, so that they are cut again."""


class PreprocessingOptions(BaseModel):
    """How frames are taken from a video (parameters_preprocessing.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(default=224, ge=16, le=2048)
    """Side of the square frames, in pixels."""
    sampling: Literal["rate", "shots"] = "rate"
    """Whether frames are taken at even steps of time, or from each shot between cuts."""
    frames_per_second: float = Field(default=3.0, gt=0, le=240)
    """How many frames to take from each second of video, where `sampling` is `rate`."""
    shots: ShotOptions = ShotOptions()
    """How shots are told apart, where `sampling` is `shots`."""
    fit: Literal["crop", "letterbox", "squash"] = "crop"
    """How a wide or tall picture becomes square: `crop` keeps its centre, `letterbox` adds black bars, `squash`
    distorts it."""
    jpeg_quality: int = Field(default=90, ge=1, le=100)
    """Quality of the stored JPEGs: 90 costs about 11 kB a frame at 224 pixels, 95 half as much again."""
    max_frames: PositiveInt | None = None
    """The most frames to take from one video, from its beginning on; null takes all."""

    def that_matter(self) -> Mapping[str, JsonValue]:
        """The options without those of the sampling that was not chosen, which do not change a frame."""
        return self.model_dump(mode="json", exclude={"shots" if self.sampling == "rate" else "frames_per_second"})


@dataclass(frozen=True)
class SampledFrames:
    """Frames of one video, and where each was taken.

    Attributes:
        frames: in order of time, at least one.
        shots: how many the video has; None where it was sampled at a fixed rate.
        shot_numbers: the shot of each frame, from 1; empty where they were taken at a fixed rate.
        times_s: when each was taken, in seconds after the first picture; empty at a fixed rate, where frame n is taken
            after (n - 1) / `frames_per_second`.
    """

    frames: EncodedFrames
    shots: int | None = None
    shot_numbers: tuple[int, ...] = ()
    times_s: tuple[float, ...] = ()


def sample_frames(video: Video, options: PreprocessingOptions) -> SampledFrames:
    """Take frames from a video, at even steps of time from its first picture on, or from each of its shots.

    Args:
        video: where it lies; rotation and pixel shape are honoured, whatever is broken is left out.
        options: see `PreprocessingOptions`.

    Returns:
        The pictures on screen at those times, square, as JPEG. At least one.

    Raises:
        VideoError: if the file is missing, empty, not a video, without pictures, or none of them can be decoded.
    """
    with video.at_hand() as copy:
        return _sample_shots(copy, options) if options.sampling == "shots" else _sample_at_rate(copy, options)


def _sample_at_rate(video: VideoFile, options: PreprocessingOptions) -> SampledFrames:
    with open_video(video) as opened:
        encoder = _JpegEncoder(opened, options)
        shown = _shown_pictures(opened, options.frames_per_second)
        picked = pick_frames(shown, options.frames_per_second)
        jpegs = (jpeg for picture, times in picked for jpeg in repeat(encoder.encode(picture), times))
        return SampledFrames(EncodedFrames(tuple(islice(jpegs, options.max_frames))))


def _sample_shots(video: VideoFile, options: PreprocessingOptions) -> SampledFrames:
    """Read the video twice: where a shot's frames lie is known only when its end is, and pictures are large."""
    with open_video(video) as opened:
        shots = find_shots(opened, options.shots)
    samples = [(shot.number, time_s) for shot in shots for time_s in shot.times(options.shots.frames_per_shot)]
    numbers, times_s = zip(*samples[: options.max_frames], strict=True)
    with open_video(video) as opened:
        encoder = _JpegEncoder(opened, options)
        clock = PictureClock(opened)
        shown = (clock.time(picture) for picture in opened.decode())
        jpegs = tuple(encoder.encode(picture) for picture in pick_at(shown, times_s))
    return SampledFrames(EncodedFrames(jpegs), len(shots), numbers, times_s)


def pick_at(shown: Iterable[Shown[T]], times_s: Sequence[float]) -> Iterator[T]:
    """Tell which picture is on screen at each of some times.

    Args:
        shown: pictures in order of time, at least one.
        times_s: in ascending order, in seconds after the first picture appears.

    Yields:
        A picture per time; the last one also for times after the end.
    """
    pictures = iter(shown)
    current = next(pictures)
    first_s, following = current.start_s, next(pictures, None)
    for time_s in times_s:
        while following is not None and following.start_s - first_s <= time_s + TOLERANCE_S:
            current, following = following, next(pictures, None)
        yield current.picture


def pick_frames(shown: Iterable[Shown[T]], rate: float) -> Iterator[tuple[T, int]]:
    """Tell which pictures are on screen at 0, 1/rate, 2/rate, … seconds after the first one appears.

    Args:
        shown: pictures in order of time.
        rate: samples per second.

    Yields:
        Each picture that is on screen at one sample at least, and at how many.
    """
    first_s, taken, last = 0.0, 0, None
    for current in shown:
        if last is None:
            first_s = current.start_s
        elif (due := samples_before(current.start_s - first_s, rate)) > taken:
            yield last.picture, due - taken
            taken = due
        last = current
    if last is not None:
        end_s = max(last.end_s, last.start_s + 2 * TOLERANCE_S)
        if (due := samples_before(end_s - first_s, rate)) > taken:
            yield last.picture, due - taken


def _shown_pictures(opened: OpenVideo, rate: float) -> Iterator[Shown[av.VideoFrame]]:
    clock = PictureClock(opened)
    needless = NeedlessPictures(opened, rate)
    decoded = opened.decode(needless.is_needless, needless.without_tails) if needless.can_tell else opened.decode()
    for picture in decoded:
        shown = clock.time(picture)
        needless.begin(shown.start_s)
        yield shown


class _JpegEncoder:
    """Makes square JPEGs of one video's pictures."""

    def __init__(self, opened: OpenVideo, options: PreprocessingOptions) -> None:
        self._pixel_aspect = opened.pixel_aspect
        self._options = options
        self._layout: tuple[int, int, str] | None = None
        self._graph = Graph()

    def encode(self, picture: av.VideoFrame) -> bytes:
        layout = picture.width, picture.height, picture.format.name
        if layout != self._layout:  # a stream may change its size midway
            self._layout, self._graph = layout, self._square_filter(picture)
        self._graph.vpush(picture)
        square = _orient(cast(NDArray[np.uint8], self._graph.vpull().to_ndarray()), Orientation.of(picture))
        _, jpeg = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, self._options.jpeg_quality])
        return jpeg.tobytes()

    def _square_filter(self, picture: av.VideoFrame) -> Graph:
        """One pass of FFmpeg's scaler from the decoder's planes to a small BGR square: no full-size copy is made."""
        graph = Graph()
        graph.threads = 1
        last = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
        )
        steps = fit_filters(picture.width, picture.height, self._pixel_aspect, self._options)
        for name, arguments in (*steps, ("format", "bgr24"), ("buffersink", None)):
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        graph.configure()
        return graph


def fit_filters(
    width: int, height: int, pixel_aspect: Fraction, options: PreprocessingOptions
) -> tuple[tuple[str, str], ...]:
    """Tell how a picture becomes square.

    Args:
        width: of the stored picture, in pixels.
        height: of the stored picture, in pixels.
        pixel_aspect: width of a pixel by its height, as displayed.
        options: see `PreprocessingOptions`.

    Returns:
        FFmpeg's filters (https://ffmpeg.org/ffmpeg-filters.html), names and arguments, in order.
    """
    size = options.size
    shown_width = width * pixel_aspect
    if options.fit == "squash":
        return (("scale", f"{size}:{size}:flags=area"),)
    if options.fit == "crop":
        side = min(shown_width, Fraction(height))
        crop = f"{max(1, round(side / pixel_aspect))}:{max(1, round(side))}:exact=1"
        return ("crop", crop), ("scale", f"{size}:{size}:flags=area")
    zoom = size / max(shown_width, Fraction(height))
    scaled = f"{max(1, round(shown_width * zoom))}:{max(1, round(height * zoom))}:flags=area"
    return ("scale", scaled), ("pad", f"{size}:{size}:-1:-1")


def _orient(picture: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    if orientation.transposed:
        picture = picture.transpose(1, 0, 2)
    if orientation.mirrored:
        picture = picture[:, ::-1]
    if orientation.flipped:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
