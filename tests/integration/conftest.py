"""A project with a small corpus, which runs once; each test starts with the finished project."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import pytest
import skimage
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from video_recommender.media.clip_rendering import render_clip
from video_recommender.sources.photos import ClipOptions, ClipStyle, list_photo_folder, plan_clips
from video_recommender.tracking import MlflowTracking

SOURCES = Path(__file__).parents[2]
PHOTOS = Path(skimage.__file__).parent / "data"
CORPUS = {
    "space": ["rocket.jpg", "moon.png", "hubble_deep_field.jpg"],
    "textures": ["brick.png", "grass.png", "gravel.png"],
    "things": ["coffee.png", "motorcycle_left.png", "clock_motion.png"],
}
UNSEEN = {"animals": ["chelsea.png", "horse.png"]}
CLIPS = ClipOptions(clips_per_category=4, seconds=(1.0, 1.5))
STYLE = ClipStyle(pools=3, sizes=((160, 120),), frame_rates=(Fraction(12),), shots=(1, 1))
LOCAL_CONF = """\
ingestion:
  source: folder
  folder: {path: videos}
workers:
  backend: sequential
classification:
  candidates: [nearest_neighbours, logistic_regression]
advertising:
  agent: {steps: 6000}
  evaluation: {runs: 2, sessions: 100}
off_policy:
  sessions: 500
"""
BUILDS_NETWORK = {
    "prepare_object_classifier",
    "build_object_segmenter",
    "read_segmented_classes",
}


@dataclass(eq=False)
class ExecutedNodes:
    """A Kedro hook that records which nodes a run executes."""

    names: list[str] = field(default_factory=list)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        self.names.append(node.short_name)


@dataclass(frozen=True)
class Project:
    """A Kedro project with its own videos, data and MLflow database."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    def run(self, *pipelines: str, params: dict[str, Any] | None = None, tracked: bool = False) -> list[str]:
        """Run pipelines in this process, like `kedro run`, and return the executed nodes in order."""
        executed = ExecutedNodes()
        with self._session(params) as session:
            session._hook_manager.register(executed)
            if not tracked:
                for plugin in session._hook_manager.get_plugins():
                    if isinstance(plugin, MlflowTracking):
                        session._hook_manager.unregister(plugin)
            session.run(pipeline_names=list(pipelines) or None)
        return executed.names

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `kedro run` in a new process group."""
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", *arguments],
            cwd=self.root,
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def catalog(self) -> DataCatalog:
        with self._session(None) as session:
            return session.load_context().catalog

    def load(self, name: str) -> Any:
        return self.catalog().load(name)

    def partitions(self) -> dict[str, dict[str, tuple[Any, ...]]]:
        """Return the state of each partition, and the time and inode of its file, by dataset and key."""
        catalog = self.catalog()
        folders = {state.parent.name for state in self.data.glob("*/*/.state")}
        return {
            name: {
                key: (*state, *_made(catalog[name].store.path(key))) for key, state in catalog.load(name).states.items()
            }
            for name in sorted(folders)
        }

    def remade(self, before: dict[str, dict[str, tuple[Any, ...]]]) -> dict[str, set[str]]:
        """Return the keys of partitions that were recomputed, added or deleted since then, by dataset."""
        after = self.partitions()
        changed = {
            name: {video_id for video_id in before[name] | made if before[name].get(video_id) != made.get(video_id)}
            for name, made in after.items()
        }
        return {name: video_ids for name, video_ids in changed.items() if video_ids}

    def put_back(self, finished: Path) -> None:
        """Restore configuration, data and videos from a copy of the project, but not the MLflow database."""
        for folder in ("conf", "data", "videos"):
            copy_tree(finished / folder, self.root / folder)

    def files(self) -> dict[str, bytes]:
        """Read all output files by their path in the data folder, except for state logs."""
        return {
            file.relative_to(self.data).as_posix(): file.read_bytes()
            for file in sorted(self.data.rglob("*"))
            if file.is_file() and ".state" not in file.parts
        }

    def tables(self) -> dict[str, bytes]:
        """Read all tables and charts, which must not depend on the time and order of the runs."""
        return {
            place: content
            for place, content in self.files().items()
            if place.endswith((".parquet", ".csv", ".json")) and "node_ledger" not in place
        }

    def forget(self) -> None:
        """Delete all outputs except for the networks, whose conversion takes long."""
        network = {
            "object_classifier.pickle",
            "class_embeddings.parquet",
            "object_segmenter.pickle",
            "segmented_class_embeddings.parquet",
        }
        ledger = self.data / "08_reporting" / "node_ledger.json"
        entries = json.loads(ledger.read_text())
        for layer in self.data.iterdir():
            for made in layer.iterdir():
                if made.name not in network:
                    shutil.rmtree(made) if made.is_dir() else made.unlink()
        kept = {name: entry for name, entry in entries.items() if name.rpartition(".")[2] in BUILDS_NETWORK}
        ledger.write_text(json.dumps(kept))

    def _session(self, params: dict[str, Any] | None) -> KedroSession:
        return KedroSession.create(project_path=self.root, runtime_params=params, save_on_close=False)


@dataclass(frozen=True)
class FirstRun:
    """The nodes that the first run executed, in order, and a copy of the finished project."""

    executed: list[str]
    finished: Path


ENVIRONMENT = {"KEDRO_DISABLE_TELEMETRY": "1", "COLUMNS": "200"}


def _made(path: PurePath) -> tuple[int, int]:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0, 0
    return status.st_mtime_ns, status.st_ino


def copy_tree(source: Path, target: Path) -> None:
    """Replace a folder with a copy of another one, including links and times."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, symlinks=True)


def _copy_photos(photos: dict[str, list[str]], folder: Path) -> None:
    for category, names in photos.items():
        (folder / category).mkdir(parents=True)
        for name in names:
            shutil.copy(PHOTOS / name, folder / category / name)


def _render(photos: dict[str, list[str]], folder: Path, options: ClipOptions) -> None:
    """Render clips of scikit-image's photos to `<folder>/<category>/clip-001.mp4`, …"""
    library = folder.with_name(f"{folder.name}-photos")
    _copy_photos(photos, library)
    for recipe in plan_clips(list_photo_folder(library), options, seed=1, style=STYLE):
        file = folder / f"{recipe.video_id}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(render_clip(recipe))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photos with a sub-folder per category."""
    _copy_photos(CORPUS, tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips that are not in the corpus: `animals/clip-001.mp4`, …"""
    folder = tmp_path_factory.mktemp("unseen") / "clips"
    _render(UNSEEN, folder, CLIPS)
    return folder


@pytest.fixture(scope="session")
def blank_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with its videos, before the first run."""
    root = tmp_path_factory.mktemp("work") / "project"
    shutil.copytree(SOURCES / "conf" / "base", root / "conf" / "base")
    shutil.copy(SOURCES / "conf" / "logging.yml", root / "conf")
    shutil.copy(SOURCES / "pyproject.toml", root)
    (root / "src").mkdir()
    (root / "conf" / "local").mkdir()
    (root / "conf" / "local" / "parameters.yml").write_text(LOCAL_CONF)
    (root / ".telemetry").write_text("consent: false\n")
    _render(CORPUS, root / "videos", CLIPS)
    shutil.rmtree(root / "videos-photos")
    bootstrap_project(root)
    return Project(root)


@pytest.fixture(scope="session")
def first_run(blank_project: Project) -> FirstRun:
    """The first run of the project. A copy of the finished project is next to its folder."""
    finished = blank_project.root.with_name("finished")
    with contextlib.chdir(blank_project.root):
        executed = blank_project.run(tracked=True)
    copy_tree(blank_project.root, finished)
    return FirstRun(executed, finished)


@pytest.fixture
def project(blank_project: Project, first_run: FirstRun, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The finished project in its original folder, restored for each test, except for the MLflow database."""
    blank_project.put_back(first_run.finished)
    monkeypatch.chdir(blank_project.root)
    return blank_project
