"""Take small square frames from a video, at a fixed rate or from each shot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, repeat
from typing import Literal, TypeVar, cast

import av
import cv2
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt

from video_recommender.media.decoding import FrameTimer, OpenVideo, Orientation, TimedFrame, open_video
from video_recommender.media.frame_skipping import TOLERANCE_S, FrameSkipper, samples_before
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.shots import ShotOptions, find_shots
from video_recommender.media.video import Video, VideoFile
from video_recommender.storage.digests import fingerprint

T = TypeVar("T")


class PreprocessingOptions(BaseModel, extra="forbid", frozen=True):
    """How frames are taken from a video (parameters_preprocessing.yml)."""

    size: int = Field(default=224, ge=16, le=2048)
    sampling: Literal["rate", "shots"] = "rate"
    frames_per_second: float = Field(default=3.0, gt=0, le=240)
    shots: ShotOptions = ShotOptions()
    fit: Literal["crop", "letterbox", "squash"] = "crop"
    jpeg_quality: int = Field(default=90, ge=1, le=100)
    max_frames: PositiveInt | None = None

    @property
    def digest(self) -> str:
        """Digest of the options that affect the frames; those of the other sampling mode do not."""
        unused = "shots" if self.sampling == "rate" else "frames_per_second"
        return fingerprint(self.model_dump(mode="json", exclude={unused}))


@dataclass(frozen=True)
class SampledFrames:
    """Frames of one video, and for shots, the number of shots and each frame's shot (from 1) and time.

    Times are in seconds after the first frame of the video. At a fixed rate, they are (n - 1) / `frames_per_second`.
    """

    frames: EncodedFrames
    shots: int | None = None
    shot_numbers: tuple[int, ...] = ()
    times_s: tuple[float, ...] = ()


def sample_frames(video: Video, options: PreprocessingOptions) -> SampledFrames:
    """Take square JPEG frames from a video, or raise a `VideoError`.

    Rotation and pixel aspect ratio are applied; damaged parts are skipped.
    """
    with video.as_local_file() as file:
        return _sample_shots(file, options) if options.sampling == "shots" else _sample_at_rate(file, options)


def _sample_at_rate(video: VideoFile, options: PreprocessingOptions) -> SampledFrames:
    with open_video(video) as opened:
        encoder = _JpegEncoder(opened, options)
        timed = _timed_frames(opened, options.frames_per_second)
        selected = select_at_rate(timed, options.frames_per_second)
        jpegs = (jpeg for frame, times in selected for jpeg in repeat(encoder.encode(frame), times))
        return SampledFrames(EncodedFrames(tuple(islice(jpegs, options.max_frames))))


def _sample_shots(video: VideoFile, options: PreprocessingOptions) -> SampledFrames:
    """Decode the video twice: the times are known only at the end of a shot, whose frames may not fit into memory."""
    with open_video(video) as opened:
        shots = find_shots(opened, options.shots)
    samples = [(shot.number, time_s) for shot in shots for time_s in shot.sample_times(options.shots.frames_per_shot)]
    numbers, times_s = zip(*samples[: options.max_frames], strict=True)
    with open_video(video) as opened:
        encoder = _JpegEncoder(opened, options)
        timer = FrameTimer(opened)
        timed = (timer.time(frame) for frame in opened.decode())
        jpegs = tuple(encoder.encode(frame) for frame in select_at_times(timed, times_s))
    return SampledFrames(EncodedFrames(jpegs), len(shots), numbers, times_s)


def select_at_times(timed: Iterable[TimedFrame[T]], times_s: Sequence[float]) -> Iterator[T]:
    """Select the frame on screen at each time (ascending, seconds after the first frame); at the end, the last."""
    frames = iter(timed)
    current = next(frames)
    first_s, following = current.start_s, next(frames, None)
    for time_s in times_s:
        while following is not None and following.start_s - first_s <= time_s + TOLERANCE_S:
            current, following = following, next(frames, None)
        yield current.frame


def select_at_rate(timed: Iterable[TimedFrame[T]], rate: float) -> Iterator[tuple[T, int]]:
    """Select the frames on screen at 0, 1/rate, 2/rate, … seconds after the first, with their number of samples."""
    first_s, taken, previous = 0.0, 0, None
    for current in timed:
        if previous is None:
            first_s = current.start_s
        elif (due := samples_before(current.start_s - first_s, rate)) > taken:
            yield previous.frame, due - taken
            taken = due
        previous = current
    if previous is not None:
        end_s = max(previous.end_s, previous.start_s + 2 * TOLERANCE_S)
        if (due := samples_before(end_s - first_s, rate)) > taken:
            yield previous.frame, due - taken


def _timed_frames(opened: OpenVideo, rate: float) -> Iterator[TimedFrame[av.VideoFrame]]:
    timer, skipper = FrameTimer(opened), FrameSkipper(opened, rate)
    decoded = opened.decode(skipper.is_skippable, skipper.drop_group_tails) if skipper.is_supported else opened.decode()
    for frame in decoded:
        timed = timer.time(frame)
        skipper.set_start(timed.start_s)
        yield timed


class _JpegEncoder:
    """Encodes frames of one video as square JPEGs."""

    def __init__(self, opened: OpenVideo, options: PreprocessingOptions) -> None:
        self._pixel_aspect = opened.pixel_aspect
        self._options = options
        self._layout: tuple[int, int, str] | None = None
        self._graph = Graph()

    def encode(self, frame: av.VideoFrame) -> bytes:
        layout = frame.width, frame.height, frame.format.name
        if layout != self._layout:  # the frame size may change within a stream
            self._layout, self._graph = layout, self._filter_graph(frame)
        self._graph.vpush(frame)
        square = _orient(cast(NDArray[np.uint8], self._graph.vpull().to_ndarray()), Orientation.of(frame))
        _, jpeg = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, self._options.jpeg_quality])
        return jpeg.tobytes()

    def _filter_graph(self, frame: av.VideoFrame) -> Graph:
        """Scale the decoder's planes to a small BGR square in one pass, without a full-size copy."""
        graph = Graph()
        graph.threads = 1
        last = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        )
        steps = square_filters(frame.width, frame.height, self._pixel_aspect, self._options)
        for name, arguments in (*steps, ("format", "bgr24"), ("buffersink", None)):
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        graph.configure()
        return graph


def square_filters(
    width: int, height: int, pixel_aspect: Fraction, options: PreprocessingOptions
) -> tuple[tuple[str, str], ...]:
    """Choose the FFmpeg filters that make a frame square (names and arguments: https://ffmpeg.org/ffmpeg-filters.html)."""
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
