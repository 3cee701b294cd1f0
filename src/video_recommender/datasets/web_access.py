"""Dataset for the access to the web."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from video_recommender.sources.web_options import WebAccess
from video_recommender.storage.paths import require_local_path


class WebAccessDataset(AbstractDataset[Any, WebAccess]):
    """Loads the cookies and proxy of `credentials.yml`, and the folder of partial downloads.

    Args:
        path: folder of partial downloads, on a disk.
        credentials: `cookies`, path of a Netscape cookie file, and `proxy`, a URL; both optional.
        metadata: for other tools, such as kedro-viz.

    Examples:
        ```yaml
        web_access:
          type: video_recommender.datasets.WebAccessDataset
          path: data/01_raw/partial_downloads
          credentials: web
        ```

        >>> from video_recommender.datasets import WebAccessDataset
        >>> access = WebAccessDataset(
        ...     path=f"{tmp_path}/partial", credentials={"proxy": "http://me:secret@proxy.example"}
        ... ).load()
        >>> access.redact("Cannot connect to proxy http://me:secret@proxy.example")
        'Cannot connect to proxy [hidden]'
    """

    def __init__(
        self, *, path: str, credentials: dict[str, str] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        unknown = sorted((credentials or {}).keys() - {"cookies", "proxy"})
        if unknown:
            raise DatasetError(f"Unknown web credentials {', '.join(unknown)}: use cookies and proxy instead")
        self._path = require_local_path(path)
        self._credentials = credentials or {}
        self.metadata = metadata

    def load(self) -> WebAccess:
        """Read the cookies, or raise a `DatasetError` if their file cannot be read or is not in Netscape format."""
        file = self._credentials.get("cookies")
        try:
            cookies = Path(file).expanduser().read_text(encoding="utf-8") if file else ""
            return WebAccess(self._path, cookies, self._credentials.get("proxy") or "")
        except (OSError, UnicodeDecodeError) as error:
            raise _cookie_error(f"cannot be read ({type(error).__name__})") from None
        except ValueError as error:
            raise _cookie_error(f"is not in Netscape format ({error})") from None

    def save(self, data: Any) -> NoReturn:
        """Always raise a `DatasetError`."""
        raise DatasetError("The web access cannot be saved: edit credentials.yml")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def _cookie_error(reason: str) -> DatasetError:
    return DatasetError(f"The cookie file that credentials.yml names {reason}: export it again in Netscape format")
