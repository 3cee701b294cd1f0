"""Find the cuts of a video, with PySceneDetect: between two of them lies a shot."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, cast

import av
from av.video.reformatter import Interpolation, VideoReformatter
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from video_recommender.media.decoding import OpenVideo
from video_recommender.media.frames import Picture
from video_recommender.media.timestamps import PictureClock, Shown

if TYPE_CHECKING:
    from scenedetect import SceneDetector

DETECTION_WIDTH: Final = 128
"""Cuts are looked for in pictures of this width: they are as plain there, and far less is to be read."""

ADAPTIVE_THRESHOLD: Final = 3.0
CONTENT_THRESHOLD: Final = 27.0
"""PySceneDetect's own defaults."""

ASSUMED_RATE: Final = Fraction(25)
"""Pictures per second where the file tells none; the detectors go by the time, not by it."""

_TICK: Final = Fraction(1, 1_000_000)


class ShotOptions(BaseModel):
    """How shots are told apart (parameters_preprocessing.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Literal["adaptive", "content"] = "adaptive"
    threshold: PositiveFloat | None = None
    min_seconds: PositiveFloat = 0.5
    frames_per_shot: PositiveInt = 1


@dataclass(frozen=True)
class Shot:
    """What was filmed without a cut.

    Attributes:
        number: from 1, in order of time.
        start_s: when it begins, in seconds after the first picture of the video.
        end_s: when it ends, likewise.
    """

    number: int
    start_s: float
    end_s: float

    def times(self, count: int) -> Iterator[float]:
        """Times inside it, evenly spread and away from its ends, in seconds, to the millisecond."""
        length_s = self.end_s - self.start_s
        yield from (round(self.start_s + (step + 0.5) * length_s / count, 3) for step in range(count))


def find_shots(opened: OpenVideo, options: ShotOptions) -> list[Shot]:
    """Find the shots of a video.

    The detectors are PySceneDetect's (https://www.scenedetect.com/docs/latest/api/detectors.html); they are handed the
    pictures of this project's decoder, so that broken files and varying rates are dealt with as everywhere.

    Args:
        opened: the video, at its beginning.
        options: see `ShotOptions`.

    Returns:
        One after the other, without gaps; one, if there is no cut.

    Raises:
        VideoError: `unreadable`, if not one picture can be decoded.
    """
    from scenedetect import FrameTimecode  # here: those who sample at a fixed rate need not wait for it
    from scenedetect.common import Timecode

    detector = _detector(options)
    rate = opened.stream.average_rate or ASSUMED_RATE
    cuts: list[FrameTimecode] = []
    first_s: float | None = None
    for shown, small in _small_pictures(opened):
        first_s = shown.start_s if first_s is None else first_s
        time = FrameTimecode(Timecode(round((shown.start_s - first_s) / _TICK), _TICK), rate)
        cuts += detector.process_frame(time, small)
        end_s = shown.end_s - first_s
    cuts += detector.post_process(time)
    bounds_s = [0.0, *(cut.seconds for cut in cuts), end_s]
    return [Shot(number, *bounds_s[number - 1 : number + 1]) for number in range(1, len(bounds_s))]


def _small_pictures(opened: OpenVideo) -> Iterator[tuple[Shown[av.VideoFrame], Picture]]:
    clock, scaler = PictureClock(opened), VideoReformatter()
    for picture in opened.decode():
        height = max(1, round(picture.height * DETECTION_WIDTH / picture.width))
        small = scaler.reformat(picture, DETECTION_WIDTH, height, "bgr24", interpolation=Interpolation.AREA)
        yield clock.time(picture), cast(Picture, small.to_ndarray())


def _detector(options: ShotOptions) -> "SceneDetector":
    from scenedetect import AdaptiveDetector, ContentDetector

    match options.detector:
        case "adaptive":
            return AdaptiveDetector(options.threshold or ADAPTIVE_THRESHOLD, min_scene_len=options.min_seconds)
        case "content":
            return ContentDetector(options.threshold or CONTENT_THRESHOLD, min_scene_len=options.min_seconds)
