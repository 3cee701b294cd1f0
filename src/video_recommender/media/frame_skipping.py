"""Which pictures of a video need not be decoded, because they are not on screen when a sample is taken."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from video_recommender.media.decoding import OpenVideo, Packet, Packets

TOLERANCE_S: Final = 0.001
"""Containers round time stamps, Matroska to the millisecond: a picture this little late is on time."""

MOST_HELD: Final = 1000
"""Compressed pictures that are held until the next group begins; a longer group is decoded as a whole."""

_BEGINS_ANEW: Final = 5
"""Type of a NAL unit: a slice of a picture before which no later picture refers to (IDR; ITU-T H.264, table 7-1)."""
_START: Final = b"\x00\x00\x01"


def samples_before(elapsed_s: float, rate: float) -> int:
    """Count the samples that are taken before a picture appears.

    Of two pictures with the same count, only the later one can be on screen when a sample is taken.

    Args:
        elapsed_s: when it appears, in seconds after the first one.
        rate: samples per second.
    """
    return max(0, math.ceil((elapsed_s - TOLERANCE_S) * rate))


class NeedlessPictures:
    """Tells of pictures, before they are decoded, that they cannot be on screen when a sample is taken.

    A picture is needless if a later one appears before the next sample. It is left out if no other refers to it, or if
    all that follow it in its group are needless, too: groups begin with a picture before which no later one refers to.
    So at rates below that of groups, little more than these pictures is decoded, and whole groups are not. That can be
    trusted in H.264, where each picture tells what it is.

    Args:
        opened: the video.
        rate: samples per second.
    """

    def __init__(self, opened: OpenVideo, rate: float) -> None:
        codec = opened.stream.codec_context
        self.can_tell = codec.name == "h264" and not opened.may_be_spliced
        self._length_bytes = _length_bytes(codec.extradata)
        self._first_s: float | None = None
        self._rate = rate
        self._latest: dict[int, float] = {}

    def begin(self, first_s: float) -> None:
        """Tell when the first picture appears, in seconds; later calls change nothing."""
        if self._first_s is None:
            self._first_s = first_s

    def is_needless(self, packet: Packet) -> bool:
        """Whether a compressed picture is not wanted for itself; others may refer to it."""
        start_s = _start_s(packet)
        if self._first_s is None or start_s is None:
            return False
        slot = samples_before(start_s - self._first_s, self._rate)
        latest_s = self._latest.setdefault(slot, start_s)
        self._latest[slot] = max(latest_s, start_s)
        return start_s < latest_s

    def without_tails(self, packets: Packets) -> Packets:
        """Leave out what follows the last picture of each group that is wanted for itself.

        Args:
            packets: compressed pictures in order of decoding; one without content, or None, stands for the end.

        Yields:
            The others, in the same order.
        """
        group: list[Packet] = []
        for packet in packets:
            if packet is None or not packet.size:
                yield from group
                yield packet
                group = []
                continue
            if _begins_anew(packet, self._length_bytes):
                yield from self._without_tail(group, packet)
                group = []
            elif len(group) == MOST_HELD:
                yield from group
                group = []
            group.append(packet)
        yield from group

    def _without_tail(self, group: Sequence[Packet], following: Packet) -> Sequence[Packet]:
        starts_s = [_start_s(packet) for packet in (*group, following)]
        known_s = [start_s for start_s in starts_s if start_s is not None]
        if self._first_s is None or len(known_s) < len(starts_s):
            return group
        slots = [samples_before(start_s - self._first_s, self._rate) for start_s in known_s]
        in_order = sorted(range(len(group)), key=known_s.__getitem__)
        wanted = {slots[number]: number for number in in_order}
        wanted.pop(slots[-1], None)  # the next group has a later one
        return group[: max(wanted.values(), default=-1) + 1]


def _start_s(packet: Packet) -> float | None:
    return None if packet.pts is None or packet.time_base is None else float(packet.pts * packet.time_base)


def _length_bytes(extradata: bytes | None) -> int | None:
    """How many bytes tell a NAL unit's length (ISO/IEC 14496-15, 5.3.3.1.2); None where start codes part them."""
    return (extradata[4] & 3) + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else None


def _begins_anew(packet: Packet, length_bytes: int | None) -> bool:
    """Whether no later picture refers to one before this; a container may say so of others, too."""
    return packet.is_keyframe and _BEGINS_ANEW in _unit_types(bytes(packet), length_bytes)


def _unit_types(content: bytes, length_bytes: int | None) -> Iterator[int]:
    if length_bytes is None:
        yield from (unit[0] & 31 for unit in content.split(_START)[1:] if unit)
        return
    place = 0
    while place + length_bytes < len(content):
        yield content[place + length_bytes] & 31
        place += length_bytes + int.from_bytes(content[place : place + length_bytes], "big")
