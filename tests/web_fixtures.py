"""Fixtures for tests that download: short clips, and a web server."""

from collections.abc import Iterator
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from shutil import copy

import pytest
from web_downloads import Downloads, noise
from web_server import Web

from video_recommender.media.clip_rendering import render_clip
from video_recommender.sources import web_errors, ytdlp_client
from video_recommender.sources.photos import ClipOptions, ClipStyle, list_photo_folder, plan_clips

BUNDLED = Path(str(files("skimage") / "data"))
STYLE = ClipStyle(pools=2, sizes=((64, 48),), frame_rates=(Fraction(10),), shots=(1, 1))


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Six different MP4 files of 2 s each."""
    return _render(tmp_path_factory.mktemp("photos"), ClipOptions(clips_per_category=6, seconds=(2.0, 2.0)))


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 file of 12 s."""
    return _render(tmp_path_factory.mktemp("photos"), ClipOptions(clips_per_category=2, seconds=(12.0, 12.0)))[0]


@pytest.fixture(scope="session")
def large_clip() -> bytes:
    """An MP4 file of 12 s and about 2 MB, with its index at the end."""
    return noise(12)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as started:
        yield started


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all pauses and timeouts for a local server."""
    monkeypatch.setattr(web_errors, "BACKOFF_S", 0.05)
    monkeypatch.setattr(web_errors, "MAX_PAUSE_S", 3.0)
    monkeypatch.setattr(ytdlp_client, "SLEEP_BETWEEN_REQUESTS_S", 0.0)
    monkeypatch.setattr(ytdlp_client, "SOCKET_TIMEOUT_S", 1.0)


@pytest.fixture
def downloads(tmp_path: Path, short_pauses: None) -> Downloads:
    return Downloads(tmp_path)


def _render(folder: Path, options: ClipOptions) -> list[bytes]:
    (folder / "things").mkdir()
    for name in ("coffee.png", "rocket.jpg"):
        copy(BUNDLED / name, folder / "things" / name)
    return [render_clip(recipe) for recipe in plan_clips(list_photo_folder(folder), options, seed=1, style=STYLE)]
