"""Select frames that need not be decoded because no sample shows them."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from video_recommender.media.decoding import OpenVideo, Packet, Packets

# Containers round time stamps, Matroska to milliseconds: a frame that is this late is on time
TOLERANCE_S: Final = 0.001
# Packets kept until the next group of pictures begins; longer groups are decoded completely
MAX_BUFFERED_PACKETS: Final = 1000
_IDR_SLICE: Final = 5  # NAL unit type of a picture that no later picture refers across (ITU-T H.264, table 7-1)
_START_CODE: Final = b"\x00\x00\x01"


def samples_before(elapsed_s: float, rate: float) -> int:
    """Count the samples taken before a frame appears.

    Of two frames with the same count, only the later one can be on screen at a sample.
    """
    return max(0, math.ceil((elapsed_s - TOLERANCE_S) * rate))


class FrameSkipper:
    """Finds compressed frames that are never on screen at a sample.

    A frame is skippable if a later one appears before the next sample. It is dropped if no other frame refers to it, or
    if all later frames of its group of pictures are skippable too. At low rates, most groups are hardly decoded. Only
    H.264 is supported, because there every packet states its type.
    """

    def __init__(self, opened: OpenVideo, rate: float) -> None:
        codec = opened.stream.codec_context
        self.is_supported = codec.name == "h264" and not opened.may_be_spliced
        self._length_size = _length_size(codec.extradata)
        self._first_s: float | None = None
        self._rate = rate
        self._latest_s: dict[int, float] = {}

    def set_start(self, first_s: float) -> None:
        """Set when the first frame appears, in seconds; later calls are ignored."""
        if self._first_s is None:
            self._first_s = first_s

    def is_skippable(self, packet: Packet) -> bool:
        """Return whether no sample shows the frame; other frames may still refer to it."""
        start_s = _start_s(packet)
        if self._first_s is None or start_s is None:
            return False
        sample = samples_before(start_s - self._first_s, self._rate)
        latest_s = self._latest_s.setdefault(sample, start_s)
        self._latest_s[sample] = max(latest_s, start_s)
        return start_s < latest_s

    def drop_group_tails(self, packets: Packets) -> Packets:
        """Drop the packets after the last one of each group of pictures that is not skippable."""
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
        starts_s = [_start_s(packet) for packet in (*group, following)]
        known_s = [start_s for start_s in starts_s if start_s is not None]
        if self._first_s is None or len(known_s) < len(starts_s):
            return group
        samples = [samples_before(start_s - self._first_s, self._rate) for start_s in known_s]
        by_time = sorted(range(len(group)), key=known_s.__getitem__)
        wanted = {samples[position]: position for position in by_time}
        wanted.pop(samples[-1], None)  # the next group has a later frame for this sample
        return group[: max(wanted.values(), default=-1) + 1]

    def _starts_group(self, packet: Packet) -> bool:
        """Containers also flag pictures as key frames that later pictures refer across, so look for an IDR slice."""
        return packet.is_keyframe and _IDR_SLICE in _nal_unit_types(bytes(packet), self._length_size)


def _start_s(packet: Packet) -> float | None:
    return None if packet.pts is None or packet.time_base is None else float(packet.pts * packet.time_base)


def _length_size(extradata: bytes | None) -> int | None:
    """Bytes of a NAL unit's length field (ISO/IEC 14496-15, 5.3.3.1.2); None where start codes separate the units."""
    return (extradata[4] & 3) + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else None


def _nal_unit_types(content: bytes, length_size: int | None) -> Iterator[int]:
    if length_size is None:
        yield from (unit[0] & 31 for unit in content.split(_START_CODE)[1:] if unit)
        return
    offset = 0
    while offset + length_size < len(content):
        yield content[offset + length_size] & 31
        offset += length_size + int.from_bytes(content[offset : offset + length_size], "big")
