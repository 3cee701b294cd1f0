"""Find the shots of a video, from cut to cut, with PySceneDetect."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, cast

import av
from av.video.reformatter import Interpolation, VideoReformatter
from pydantic import BaseModel, PositiveFloat, PositiveInt

from video_recommender.media.decoding import FrameTimer, OpenVideo, TimedFrame
from video_recommender.media.frames import Picture

if TYPE_CHECKING:
    from scenedetect import SceneDetector

DETECTION_WIDTH: Final = 128  # cuts are as visible in frames of this width, in pixels, and cost far less to find
DEFAULT_THRESHOLDS: Final = {"adaptive": 3.0, "content": 27.0}  # those of PySceneDetect itself
# Frames per second where the file states none; the detectors go by time stamps, not by it
ASSUMED_RATE: Final = Fraction(25)
_TICK: Final = Fraction(1, 1_000_000)


class ShotOptions(BaseModel, extra="forbid", frozen=True):
    """Shot detection (parameters_preprocessing.yml)."""

    detector: Literal["adaptive", "content"] = "adaptive"
    threshold: PositiveFloat | None = None
    min_seconds: PositiveFloat = 0.5
    frames_per_shot: PositiveInt = 1


@dataclass(frozen=True)
class Shot:
    """A part of a video without a cut; numbers start at 1, times at the first frame of the video."""

    number: int
    start_s: float
    end_s: float

    def sample_times(self, count: int) -> Iterator[float]:
        """Give times that are evenly spread inside the shot, in seconds, rounded to milliseconds."""
        length_s = self.end_s - self.start_s
        yield from (round(self.start_s + (step + 0.5) * length_s / count, 3) for step in range(count))


def find_shots(opened: OpenVideo, options: ShotOptions) -> list[Shot]:
    """Find the shots of a video (https://www.scenedetect.com/docs/latest/api/detectors.html).

    The frames come from this package's decoder, so that damaged files and variable rates are handled as everywhere.
    There is at least one shot; together they cover the video without gaps.
    """
    from scenedetect import FrameTimecode  # imported here because sampling at a fixed rate does not need it
    from scenedetect.common import Timecode

    detector = _detector(options)
    rate = opened.stream.average_rate or ASSUMED_RATE
    cuts: list[FrameTimecode] = []
    first_s: float | None = None
    for timed, small in _small_frames(opened):
        first_s = timed.start_s if first_s is None else first_s
        time = FrameTimecode(Timecode(round((timed.start_s - first_s) / _TICK), _TICK), rate)
        cuts += detector.process_frame(time, small)
        end_s = timed.end_s - first_s
    cuts += detector.post_process(time)
    bounds_s = [0.0, *(cut.seconds for cut in cuts), end_s]
    return [Shot(number, *bounds_s[number - 1 : number + 1]) for number in range(1, len(bounds_s))]


def _small_frames(opened: OpenVideo) -> Iterator[tuple[TimedFrame[av.VideoFrame], Picture]]:
    timer, scaler = FrameTimer(opened), VideoReformatter()
    for frame in opened.decode():
        height = max(1, round(frame.height * DETECTION_WIDTH / frame.width))
        small = scaler.reformat(frame, DETECTION_WIDTH, height, "bgr24", interpolation=Interpolation.AREA)
        yield timer.time(frame), cast(Picture, small.to_ndarray())


def _detector(options: ShotOptions) -> "SceneDetector":
    from scenedetect import AdaptiveDetector, ContentDetector

    detector = AdaptiveDetector if options.detector == "adaptive" else ContentDetector
    return detector(options.threshold or DEFAULT_THRESHOLDS[options.detector], min_scene_len=options.min_seconds)
