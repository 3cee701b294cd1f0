"""Precision and recall of shot detection on the demo's clips, whose cuts are known, and its cost.

Run: python benchmarks/shot_sampling.py --clips 60
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path

from loky import get_reusable_executor
from own_project import demo_photos

from video_recommender.media.clip_rendering import ClipRecipe, render_clip
from video_recommender.media.decoding import open_video
from video_recommender.media.sampling import PreprocessingOptions, ShotOptions, find_shots, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.sources.photos import ClipOptions, plan_clips

TOLERANCE_S = 0.1
CHOICES = (
    ShotOptions(),
    ShotOptions(threshold=2.0),
    ShotOptions(threshold=5.0),
    ShotOptions(detector="content"),
    ShotOptions(detector="content", threshold=20.0),
    ShotOptions(detector="content", threshold=35.0),
)


def main() -> None:
    """Print a line per setting, and one that compares the time with sampling at a fixed rate."""
    arguments = _parse()
    recipes = plan_clips(demo_photos(), ClipOptions(clips_per_category=arguments.clips // 4), arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary)] * len(recipes)
        clips = list(get_reusable_executor().map(render, folders, recipes))
        for options in CHOICES:
            print(judge(clips, recipes, options))
        at_rate, by_shots = PreprocessingOptions(), PreprocessingOptions(sampling="shots")
        ratio = seconds_of(partial(sample, clips, by_shots)) / seconds_of(partial(sample, clips, at_rate))
        frames = [sum(map(len, sample(clips, options))) for options in (at_rate, by_shots)]
    print(f"shots ÷ rate: {ratio:.2f} of the time, {frames[1]} frames instead of {frames[0]}")


def render(folder: Path, recipe: ClipRecipe) -> VideoFile:
    """Render one clip of the demo."""
    file = folder / recipe.video_id.replace("/", "-")
    file.write_bytes(render_clip(recipe))
    return VideoFile(file)


def judge(clips: list[VideoFile], recipes: list[ClipRecipe], options: ShotOptions) -> str:
    """Compare the detected cuts with the true ones."""
    hits = found_in_all = made_in_all = 0
    for clip, recipe in zip(clips, recipes, strict=True):
        made = list(accumulate(float(shot.frames / recipe.fps) for shot in recipe.shots))[:-1]
        with open_video(clip) as opened:
            found = [shot.start_s for shot in find_shots(opened, options)[1:]]
        hits += sum(any(abs(cut - near) <= TOLERANCE_S for near in found) for cut in made)
        found_in_all, made_in_all = found_in_all + len(found), made_in_all + len(made)
    threshold = "default" if options.threshold is None else f"{options.threshold:g}"
    return (
        f"{options.detector:<8} threshold {threshold:<7}: precision {hits / max(found_in_all, 1):.3f}, "
        f"recall {hits / max(made_in_all, 1):.3f} of {made_in_all} cuts in {len(clips)} clips"
    )


def sample(clips: list[VideoFile], options: PreprocessingOptions) -> list[list[bytes]]:
    """Sample the frames of every clip, one clip after the other."""
    return [list(sample_frames(clip, options).frames.jpegs) for clip in clips]


def seconds_of(action: Callable[[], object]) -> float:
    """Time an action, the best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
