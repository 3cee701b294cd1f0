"""Open a video file and decode its pictures, whatever state it is in (FFmpeg through PyAV)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias, cast

import av
import numpy as np
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from video_recommender.media.video import VideoError, VideoFile

Packet: TypeAlias = "av.Packet[VideoStream]"
"""A compressed picture."""

PacketFilter: TypeAlias = Callable[[Packet], bool]

Packets: TypeAlias = "Iterator[Packet | None]"

DISCONTINUITY_S: Final = 10.0
"""In a broadcast stream, a leap of the clock longer than this is a splice, not a pause (as FFmpeg has it)."""

_WAY_OUT = "replace it or remove it from the source"
_LOCAL_FILES_ONLY = {"protocol_whitelist": "file"}  # a playlist in disguise must not reach for the network


@dataclass(frozen=True)
class OpenVideo:
    """A video that is open for reading.

    Attributes:
        video: the file.
        container: its demultiplexer, at the beginning.
        stream: its best stream of moving pictures; cover art does not count.
    """

    video: VideoFile
    container: InputContainer
    stream: VideoStream

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel by its height, as displayed: 1 for square pixels or where the file does not say."""
        return self.stream.sample_aspect_ratio or Fraction(1)

    @property
    def may_be_spliced(self) -> bool:
        """Whether the clock of such a file may leap, as that of a broadcast does."""
        return bool(self.container.format.flags & cast(int, Flags.ts_discont.value))

    def decode(
        self, is_needless: PacketFilter | None = None, thin_out: Callable[[Packets], Packets] | None = None
    ) -> Iterator[av.VideoFrame]:
        """Decode the pictures in order of time; whatever is broken is left out.

        Args:
            is_needless: tells of a compressed picture that it is not wanted for itself. It is left out if no other
                picture refers to it, so that the others stay what they are.
            thin_out: leaves out compressed pictures to which none that is wanted refers.

        Yields:
            Pictures in the file's own pixel format.

        Raises:
            VideoError: `unreadable`, if there is not one picture to be had.
        """
        decoded = 0
        packets = self.packets()
        for packet in packets if thin_out is None else thin_out(packets):
            if is_needless is not None and packet is not None:
                self.stream.codec_context.skip_frame = "NONREF" if is_needless(packet) else "DEFAULT"
            try:
                pictures = self.stream.decode(packet)
            except av.FFmpegError:
                continue
            decoded += len(pictures)
            yield from pictures
        if not decoded:
            raise VideoError("unreadable", f"{self.video.name} holds no picture that can be decoded: {_WAY_OUT}")

    def packets(self) -> Packets:
        """Read the stream's compressed pictures as far as the file goes, in order of decoding; the last may be None."""
        try:
            yield from self.container.demux(self.stream)
        except av.FFmpegError:
            yield None  # a broken tail: the decoder gives what it still holds


@dataclass(frozen=True)
class Orientation:
    """What a player does to a stored picture before it shows it: a transposition, then mirroring.

    Attributes:
        transposed: rows become columns.
        mirrored: left becomes right.
        flipped: top becomes bottom.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def of(cls, picture: av.VideoFrame) -> "Orientation":
        """Read the display matrix (ISO/IEC 14496-12, 8.3.2); angles other than right ones count as upright."""
        stored = picture.side_data.get("DISPLAYMATRIX")
        if stored is None:
            return cls()
        (a, b, _), (c, d, _), _ = np.frombuffer(cast(bytes, stored), np.int32, 9).reshape(3, 3).tolist()
        if abs(b) > abs(a):
            return cls(transposed=True, mirrored=c < 0, flipped=b < 0)
        return cls(mirrored=a < 0, flipped=d < 0)


@contextmanager
def open_video(video: VideoFile) -> Iterator[OpenVideo]:
    """Open a video file for one pass, on one thread (the workers take a video each).

    Raises:
        VideoError: `missing`, `empty`, `unreadable` (not a video) or `audio_only`.
    """
    path, name = video.path, video.name
    try:
        size = path.stat().st_size
    except OSError as error:
        raise VideoError("missing", f"{name} cannot be found ({error.strerror}): restore it or {_WAY_OUT}") from error
    if size == 0:
        raise VideoError("empty", f"{name} is empty (0 bytes): {_WAY_OUT}")
    try:
        container = av.open(path.absolute(), options=_LOCAL_FILES_ONLY, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise VideoError("unreadable", f"{name} cannot be read as a video ({error.strerror}): {_WAY_OUT}") from error
    with container:
        yield OpenVideo(video, container, _moving_pictures(container, video))


def _moving_pictures(container: InputContainer, video: VideoFile) -> VideoStream:
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if streams:
        stream = max(streams, key=lambda stream: (int(stream.disposition & Disposition.default), stream.width))
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        return stream
    if container.streams.audio:
        raise VideoError("audio_only", f"{video.name} holds sound but no pictures: {_WAY_OUT}")
    raise VideoError("unreadable", f"{video.name} holds no pictures: {_WAY_OUT}")
