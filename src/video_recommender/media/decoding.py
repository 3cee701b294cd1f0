"""Open, probe and decode video files, including damaged ones, with FFmpeg (PyAV)."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Generic, TypeAlias, TypeVar, cast

import av
import numpy as np
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from video_recommender.media.video import Video, VideoError, VideoFile

T = TypeVar("T")
Packet: TypeAlias = "av.Packet[VideoStream]"  # a compressed frame
PacketFilter: TypeAlias = Callable[[Packet], bool]
Packets: TypeAlias = "Iterator[Packet | None]"
# Longer jumps of the timestamps in a broadcast stream are splices (FFmpeg's default limit)
DISCONTINUITY_S: Final = 10.0
ASSUMED_RATE: Final = Fraction(25)  # frames per second if a file states no rate; FFmpeg's default for raw streams
_REMEDY = "replace it or remove it from the source"
_LOCAL_FILES_ONLY = {"protocol_whitelist": "file"}  # a playlist named like a video must not open network connections


@dataclass(frozen=True)
class OpenVideo:
    """A video that is open for one pass over its main stream."""

    video: VideoFile
    container: InputContainer
    stream: VideoStream

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel divided by its height, or 1 if the file does not state this ratio."""
        return self.stream.sample_aspect_ratio or Fraction(1)

    @property
    def may_be_spliced(self) -> bool:
        """Whether timestamps can jump in this format, as in broadcast streams."""
        return bool(self.container.format.flags & cast(int, Flags.ts_discont.value))

    @property
    def rate(self) -> Fraction | None:
        """Mean number of frames per second, or None if it is unknown."""
        return self.stream.average_rate or self.stream.guessed_rate

    @property
    def stated_duration_s(self) -> float | None:
        """Duration in seconds according to the file's header, or None if the header states no duration."""
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        return self.container.duration / av.time_base if self.container.duration else None

    def decode(
        self,
        is_skippable: PacketFilter | None = None,
        drop_packets: Callable[[Packets], Packets] | None = None,
    ) -> Iterator[av.VideoFrame]:
        """Decode the frames in presentation order and in the pixel format of the file, without damaged frames.

        Skippable packets are not decoded unless another frame refers to them. `drop_packets` removes packets before
        decoding. If no frame can be decoded, a `VideoError` (`unreadable`) is raised.
        """
        decoded = 0
        packets = self.packets()
        for packet in packets if drop_packets is None else drop_packets(packets):
            if is_skippable is not None and packet is not None:
                self.stream.codec_context.skip_frame = "NONREF" if is_skippable(packet) else "DEFAULT"
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                continue
            decoded += len(frames)
            yield from frames
        if not decoded:
            raise VideoError("unreadable", f"{self.video.name} has no frame that can be decoded: {_REMEDY}")

    def packets(self) -> Packets:
        """Read the packets of the stream in decoding order. In damaged files, a final None flushes the decoder."""
        try:
            yield from self.container.demux(self.stream)
        except av.FFmpegError:
            yield None

    def continuous_packets(self) -> Iterator[Packet]:
        """Read the packets. In broadcast streams, remove timestamp jumps of over 10 s forwards or 1 s backwards."""
        offset, expected = 0, None
        for packet in self.packets():
            if packet is None or not packet.time_base:
                continue
            if self.may_be_spliced and packet.dts is not None:
                jump_s = 0.0 if expected is None else float((packet.dts + offset - expected) * packet.time_base)
                if expected is not None and not -1 <= jump_s <= DISCONTINUITY_S:
                    offset = expected - packet.dts
                expected = packet.dts + offset + (packet.duration or 0)
                packet.dts += offset
                packet.pts = None if packet.pts is None else packet.pts + offset
            yield packet

    def spans(self) -> Iterator[tuple[float, float]]:
        """Yield the start and end of each frame in seconds, in decoding order, without decoding the frames."""
        for packet in self.continuous_packets():
            if packet.pts is not None:
                start, end = packet.pts, packet.pts + (packet.duration or 0)
                yield float(start * packet.time_base), float(end * packet.time_base)

    def measure(self) -> tuple[float, int]:
        """Compute the duration in seconds and the number of frames from all timestamps."""
        spans = list(self.spans())
        first_s, last_s = min((start for start, _ in spans), default=0.0), max((end for _, end in spans), default=0.0)
        return last_s - first_s, len(spans)


@dataclass(frozen=True)
class Orientation:
    """Transformation of stored frames for display: transpose, then mirror left to right and flip top to bottom."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "Orientation":
        """Read the display matrix (ISO/IEC 14496-12, 8.3.2). Angles are rounded to multiples of 90°."""
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return cls()
        (a, b, _), (c, d, _), _ = np.frombuffer(cast(bytes, matrix), np.int32, 9).reshape(3, 3).tolist()
        if abs(b) > abs(a):
            return cls(transposed=True, mirrored=c < 0, flipped=b < 0)
        return cls(mirrored=a < 0, flipped=d < 0)


@contextmanager
def open_video(video: VideoFile) -> Iterator[OpenVideo]:
    """Open a video for one pass, or raise a `VideoError` (`missing`, `empty`, `unreadable` or `audio_only`)."""
    path, name = video.path, video.name
    try:
        size = path.stat().st_size
    except OSError as error:
        raise VideoError("missing", f"{name} cannot be found ({error.strerror}): restore it or {_REMEDY}") from error
    if size == 0:
        raise VideoError("empty", f"{name} is empty (0 bytes): {_REMEDY}")
    try:
        container = av.open(path.absolute(), options=_LOCAL_FILES_ONLY, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise VideoError("unreadable", f"{name} cannot be read as a video ({error.strerror}): {_REMEDY}") from error
    with container:
        yield OpenVideo(video, container, _main_stream(container, video))


def _main_stream(container: InputContainer, video: VideoFile) -> VideoStream:
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if streams:
        stream = max(streams, key=lambda stream: (int(stream.disposition & Disposition.default), stream.width))
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1  # each worker decodes a different video
        return stream
    if container.streams.audio:
        raise VideoError("audio_only", f"{video.name} has sound but no video stream: {_REMEDY}")
    raise VideoError("unreadable", f"{video.name} has no video stream: {_REMEDY}")


@dataclass(frozen=True)
class VideoProperties:
    """Properties of a video: duration, mean frames per second, displayed size in pixels (upright), and file digest."""

    duration_s: float
    fps: float
    width: int
    height: int
    sha256: str


def probe_video(video: Video) -> VideoProperties:
    """Read the properties of a video and decode its first frame. Raises a `VideoError` if the video is not usable."""
    with video.as_local_file() as file:
        with open_video(file) as opened:
            first = next(opened.decode())
            width, height = max(1, round(first.width * opened.pixel_aspect)), max(1, first.height)
            if Orientation.of(first).transposed:
                width, height = height, width
            duration_s, fps = max(0.0, opened.stated_duration_s or 0.0), float(opened.rate or 0)
        if not duration_s or not fps:  # WebM files recorded by a browser state neither
            with open_video(file) as opened:
                measured_s, frames = opened.measure()
            duration_s = duration_s or measured_s
            fps = fps or (frames / measured_s if measured_s else 0.0)
        with file.path.open("rb") as content:
            return VideoProperties(duration_s, fps, width, height, hashlib.file_digest(content, "sha256").hexdigest())


@dataclass(frozen=True)
class TimedFrame(Generic[T]):
    """A frame with its display interval in seconds. The next frame can be displayed before the end of the interval."""

    start_s: float
    end_s: float
    frame: T


def time_frames(opened: OpenVideo, frames: Iterable[av.VideoFrame]) -> Iterator[TimedFrame[av.VideoFrame]]:
    """Assign display times to consecutive frames. Timestamps that are missing or not monotonic are replaced."""
    offset_s = 0.0
    previous: TimedFrame[av.VideoFrame] | None = None
    for frame in frames:
        ticks = frame.dts if frame.pts is None else frame.pts
        stamp_s = None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)
        if previous is None:
            start_s = stamp_s or 0.0
        elif stamp_s is None:
            start_s = previous.end_s
        elif opened.may_be_spliced and not 0 <= stamp_s + offset_s - previous.start_s <= DISCONTINUITY_S:
            start_s = previous.end_s
            offset_s = start_s - stamp_s
        else:
            start_s = max(previous.start_s, stamp_s + offset_s)
        duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
        end_s = start_s + (duration_s if duration_s > 0 else float(1 / (opened.rate or ASSUMED_RATE)))
        previous = TimedFrame(start_s, end_s, frame)
        yield previous
