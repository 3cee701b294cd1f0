"""Sample small square frames from a video, at a fixed rate or per shot."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, repeat
from typing import Final, Literal, TypeVar, cast

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.reformatter import Interpolation, VideoReformatter
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from video_recommender.media.decoding import (
    ASSUMED_RATE,
    OpenVideo,
    Orientation,
    Packet,
    Packets,
    TimedFrame,
    open_video,
    time_frames,
)
from video_recommender.media.frames import EncodedFrames, RgbImage
from video_recommender.media.video import Video, VideoFile
from video_recommender.storage.digests import fingerprint

# Seconds by which a frame can be late, because containers round timestamps (Matroska to milliseconds)
TOLERANCE_S: Final = 0.001
# Maximum number of packets per buffered group of images (GOP); longer groups are decoded completely
MAX_BUFFERED_PACKETS: Final = 1000
_IDR_SLICE: Final = 5  # NAL unit type; later frames do not refer to frames before it (ITU-T H.264, table 7-1)
_START_CODE: Final = b"\x00\x00\x01"
DETECTION_WIDTH: Final = 128  # pixels; in small frames, cuts are as visible and can be detected much faster
DEFAULT_THRESHOLDS: Final = {"adaptive": 3.0, "content": 27.0}  # PySceneDetect's defaults
_TICK: Final = Fraction(1, 1_000_000)

T = TypeVar("T")


class ShotOptions(BaseModel, extra="forbid", frozen=True):
    """Options of shot detection (parameters_preprocessing.yml)."""

    detector: Literal["adaptive", "content"] = "adaptive"
    threshold: PositiveFloat | None = None
    min_seconds: PositiveFloat = 0.5
    frames_per_shot: PositiveInt = 1


class PreprocessingOptions(BaseModel, extra="forbid", frozen=True):
    """Options of frame sampling (parameters_preprocessing.yml)."""

    size: int = Field(default=224, ge=16, le=2048)
    sampling: Literal["rate", "shots"] = "rate"
    frames_per_second: float = Field(default=3.0, gt=0, le=240)
    shots: ShotOptions = ShotOptions()
    fit: Literal["crop", "letterbox", "squash"] = "crop"
    jpeg_quality: int = Field(default=90, ge=1, le=100)
    max_frames: PositiveInt | None = None

    @property
    def digest(self) -> str:
        """Digest of the options that affect the frames, without the options of the other sampling mode."""
        unused = "shots" if self.sampling == "rate" else "frames_per_second"
        return fingerprint(self.model_dump(mode="json", exclude={unused}))


@dataclass(frozen=True)
class SampledFrames:
    """Frames of one video and, if sampled per shot, the number of shots and each frame's shot (1-based) and time.

    Times are in seconds after the first frame. At a fixed rate, frame n (1-based) is at (n - 1) / `frames_per_second`.
    """

    frames: EncodedFrames
    shots: int | None = None
    shot_numbers: tuple[int, ...] = ()
    times_s: tuple[float, ...] = ()


def sample_frames(video: Video, options: PreprocessingOptions) -> SampledFrames:
    """Sample square, upright JPEG frames from undamaged parts of a video. Unusable videos raise a `VideoError`."""
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
    """Decode the video twice: sample times are known only when a shot ends, and its frames can exceed the memory."""
    with open_video(video) as opened:
        shots = find_shots(opened, options.shots)
    samples = [(shot.number, time_s) for shot in shots for time_s in shot.sample_times(options.shots.frames_per_shot)]
    numbers, times_s = zip(*samples[: options.max_frames], strict=True)
    with open_video(video) as opened:
        encoder = _JpegEncoder(opened, options)
        timed = time_frames(opened, opened.decode())
        jpegs = tuple(encoder.encode(frame) for frame in select_at_times(timed, times_s))
    return SampledFrames(EncodedFrames(jpegs), len(shots), numbers, times_s)


@dataclass(frozen=True)
class Shot:
    """A part of a video between cuts. Numbers are 1-based. Times are in seconds after the first frame."""

    number: int
    start_s: float
    end_s: float

    def sample_times(self, count: int) -> Iterator[float]:
        """Yield evenly spaced times inside the shot, in seconds, rounded to milliseconds."""
        length_s = self.end_s - self.start_s
        yield from (round(self.start_s + (step + 0.5) * length_s / count, 3) for step in range(count))


def find_shots(opened: OpenVideo, options: ShotOptions) -> list[Shot]:
    """Find the shots of a video with PySceneDetect (https://www.scenedetect.com/docs/latest/api/detectors.html).

    The frames come from this package's decoder, which handles damaged files and variable frame rates. There is at least
    one shot, and the shots cover the video without gaps.
    """
    # Imported here because sampling at a fixed rate does not need it
    from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode
    from scenedetect.common import Timecode

    detector_type = AdaptiveDetector if options.detector == "adaptive" else ContentDetector
    threshold = options.threshold or DEFAULT_THRESHOLDS[options.detector]
    detector, scaler = detector_type(threshold, min_scene_len=options.min_seconds), VideoReformatter()
    rate = opened.stream.average_rate or ASSUMED_RATE  # required by the API, but the detectors use the timestamps
    cuts: list[FrameTimecode] = []
    first_s: float | None = None
    for timed in time_frames(opened, opened.decode()):
        first_s = timed.start_s if first_s is None else first_s
        time = FrameTimecode(Timecode(round((timed.start_s - first_s) / _TICK), _TICK), rate)
        height = max(1, round(timed.frame.height * DETECTION_WIDTH / timed.frame.width))
        small = scaler.reformat(timed.frame, DETECTION_WIDTH, height, "bgr24", interpolation=Interpolation.AREA)
        cuts += detector.process_frame(time, cast(RgbImage, small.to_ndarray()))
        end_s = timed.end_s - first_s
    cuts += detector.post_process(time)
    bounds_s = [0.0, *(cut.seconds for cut in cuts), end_s]
    return [Shot(number, *bounds_s[number - 1 : number + 1]) for number in range(1, len(bounds_s))]


def select_at_times(timed: Iterable[TimedFrame[T]], times_s: Sequence[float]) -> Iterator[T]:
    """Select the frame that was displayed last at each time. Times are ascending, in seconds after the first frame."""
    frames = iter(timed)
    current = next(frames)
    first_s, following = current.start_s, next(frames, None)
    for time_s in times_s:
        while following is not None and following.start_s - first_s <= time_s + TOLERANCE_S:
            current, following = following, next(frames, None)
        yield current.frame


def select_at_rate(timed: Iterable[TimedFrame[T]], rate: float) -> Iterator[tuple[T, int]]:
    """Select the frames displayed 0, 1/rate, 2/rate, … seconds after the first, each with its number of samples."""
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


def samples_before(elapsed_s: float, rate: float) -> int:
    """Count the samples before a frame appears. If two frames have equal counts, no sample shows the earlier frame."""
    return max(0, math.ceil((elapsed_s - TOLERANCE_S) * rate))


def _timed_frames(opened: OpenVideo, rate: float) -> Iterator[TimedFrame[av.VideoFrame]]:
    skipper = FrameSkipper(opened, rate)
    decoded = opened.decode(skipper.is_skippable, skipper.drop_group_tails) if skipper.is_supported else opened.decode()
    for timed in time_frames(opened, decoded):
        if skipper.first_s is None:
            skipper.first_s = timed.start_s
        yield timed


class FrameSkipper:
    """Finds compressed frames that are not displayed at any sample time.

    A frame is skippable if a later frame appears before the next sample. It is dropped if no other frame refers to it,
    or if all later frames of its group of images (GOP) are skippable too. Only H.264 is supported, because each H.264
    packet states its type.
    """

    def __init__(self, opened: OpenVideo, rate: float) -> None:
        codec = opened.stream.codec_context
        self.is_supported = codec.name == "h264" and not opened.may_be_spliced
        self._length_size = _length_size(codec.extradata)
        self.first_s: float | None = None  # time of the first frame, seconds
        self._rate = rate
        self._latest_s: dict[int, float] = {}

    def is_skippable(self, packet: Packet) -> bool:
        """Return whether no sample shows the frame, although other frames can refer to it."""
        start_s = _packet_start_s(packet)
        if self.first_s is None or start_s is None:
            return False
        sample = samples_before(start_s - self.first_s, self._rate)
        latest_s = self._latest_s.setdefault(sample, start_s)
        self._latest_s[sample] = max(latest_s, start_s)
        return start_s < latest_s

    def drop_group_tails(self, packets: Packets) -> Packets:
        """In each group of images, drop the packets after the last packet that is not skippable."""
        group: list[Packet] = []
        for packet in packets:
            if packet is None or not packet.size:
                yield from group
                yield packet
                group = []
                continue
            if self._starts_group(packet):
                yield from self._without_tail(group, packet)
                group = []
            elif len(group) == MAX_BUFFERED_PACKETS:
                yield from group
                group = []
            group.append(packet)
        yield from group

    def _without_tail(self, group: Sequence[Packet], following: Packet) -> Sequence[Packet]:
        starts_s = [_packet_start_s(packet) for packet in (*group, following)]
        known_s = [start_s for start_s in starts_s if start_s is not None]
        if self.first_s is None or len(known_s) < len(starts_s):
            return group
        samples = [samples_before(start_s - self.first_s, self._rate) for start_s in known_s]
        by_time = sorted(range(len(group)), key=known_s.__getitem__)
        wanted = {samples[position]: position for position in by_time}
        wanted.pop(samples[-1], None)  # the next group has a later frame for this sample
        return group[: max(wanted.values(), default=-1) + 1]

    def _starts_group(self, packet: Packet) -> bool:
        """Look for an IDR slice, because later frames can refer across other frames that are flagged as key frames."""
        return packet.is_keyframe and _IDR_SLICE in _nal_unit_types(bytes(packet), self._length_size)


def _packet_start_s(packet: Packet) -> float | None:
    return None if packet.pts is None or packet.time_base is None else float(packet.pts * packet.time_base)


def _length_size(extradata: bytes | None) -> int | None:
    """Return the bytes of the length field of NAL units (ISO/IEC 14496-15, 5.3.3.1.2), or None for start codes."""
    return (extradata[4] & 3) + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else None


def _nal_unit_types(content: bytes, length_size: int | None) -> Iterator[int]:
    if length_size is None:
        yield from (unit[0] & 31 for unit in content.split(_START_CODE)[1:] if unit)
        return
    offset = 0
    while offset + length_size < len(content):
        yield content[offset + length_size] & 31
        offset += length_size + int.from_bytes(content[offset : offset + length_size], "big")


class _JpegEncoder:
    """Encodes frames of one video as square JPEGs."""

    def __init__(self, opened: OpenVideo, options: PreprocessingOptions) -> None:
        self._pixel_aspect = opened.pixel_aspect
        self._options = options
        self._layout: tuple[int, int, str] | None = None
        self._graph = Graph()

    def encode(self, frame: av.VideoFrame) -> bytes:
        layout = frame.width, frame.height, frame.format.name
        if layout != self._layout:  # the frame size can change within a stream
            self._layout, self._graph = layout, self._filter_graph(frame)
        self._graph.vpush(frame)
        square = _orient(cast(RgbImage, self._graph.vpull().to_ndarray()), Orientation.of(frame))
        _, jpeg = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, self._options.jpeg_quality])
        return jpeg.tobytes()

    def _filter_graph(self, frame: av.VideoFrame) -> Graph:
        """Build a graph that scales decoded planes to a small BGR square in one pass, without a full-size copy."""
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
    """Return the FFmpeg filters (https://ffmpeg.org/ffmpeg-filters.html), with arguments, that make a frame square."""
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


def _orient(image: RgbImage, orientation: Orientation) -> RgbImage:
    upright = image.transpose(1, 0, 2) if orientation.transposed else image
    return np.ascontiguousarray(upright[:: -1 if orientation.flipped else 1, :: -1 if orientation.mirrored else 1])
