"""The one failure that no other video can do better at: there is no room left."""

import errno
from collections.abc import Iterator
from typing import Final

DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_disk_full(error: BaseException) -> bool:
    """Whether an error stems from a full disk or a used-up quota."""
    return any(getattr(cause, "errno", None) in DISK_FULL for cause in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
