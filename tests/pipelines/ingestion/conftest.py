"""Short real clips, and a web to fetch them from."""

from collections.abc import Iterator
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from shutil import copy

import pytest
from web_downloads import Downloads, noise
from web_server import Web

from video_recommender.media.clip_rendering import ClipOptions, plan_clips, render_clip
from video_recommender.sources.photos import list_photo_folder

BUNDLED = Path(str(files("skimage") / "data"))
SHORT = ClipOptions(
    clips_per_category=6, pools=2, seconds=(2.0, 2.0), sizes=((64, 48),), frame_rates=(Fraction(10),), shots=(1, 1)
)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Six MP4 files of two seconds each, no two alike."""
    return _render(tmp_path_factory.mktemp("photos"), SHORT)


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 file of twelve seconds."""
    options = SHORT.model_copy(update={"seconds": (12.0, 12.0), "clips_per_category": 2})
    return _render(tmp_path_factory.mktemp("photos"), options)[0]


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as started:
        yield started


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path)


@pytest.fixture(scope="session")
def large_clip() -> bytes:
    """An MP4 file of twelve seconds and about two megabytes; its index is last."""
    return noise(12)


def _render(folder: Path, options: ClipOptions) -> list[bytes]:
    (folder / "things").mkdir()
    for name in ("coffee.png", "rocket.jpg"):
        copy(BUNDLED / name, folder / "things" / name)
    return [render_clip(recipe) for recipe in plan_clips(list_photo_folder(folder), options, seed=1)]
