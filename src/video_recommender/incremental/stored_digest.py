"""What a stored file holds, as a digest: how a run sees that it has changed."""

from pathlib import Path, PurePosixPath

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from video_recommender.storage.digests import fingerprint_file


def stored_digest(filesystem: AbstractFileSystem, place: PurePosixPath) -> str | None:
    """Digest a file.

    Args:
        filesystem: where it lies.
        place: its path there.

    Returns:
        A digest of its bytes, or what its object store tells (S3: the ETag), so that it need not be fetched; None where
        there is no file.
    """
    if isinstance(filesystem, LocalFileSystem):
        return fingerprint_file(Path(place)) if Path(place).is_file() else None
    filesystem.invalidate_cache(str(place))
    return str(filesystem.checksum(str(place))) if filesystem.isfile(str(place)) else None
