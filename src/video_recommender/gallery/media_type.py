"""What kind of file a video is, by its first bytes: the corpus calls all of them .mp4."""

from pathlib import Path
from typing import Final

SIGNATURES: Final = {
    (4, b"ftyp"): "video/mp4",
    (0, b"\x1aE\xdf\xa3"): "video/webm",
    (0, b"OggS"): "video/ogg",
    (0, b"FLV"): "video/x-flv",
    (8, b"AVI "): "video/x-msvideo",
}
"""A file's media type by the bytes at a position."""


def media_type_of(video: Path) -> str:
    """Tell the media type (RFC 6838) of a video; `application/octet-stream` for what browsers would not play."""
    with video.open("rb") as file:
        beginning = file.read(16)
    for (position, signature), media_type in SIGNATURES.items():
        if beginning[position:].startswith(signature):
            return media_type
    return "application/octet-stream"
