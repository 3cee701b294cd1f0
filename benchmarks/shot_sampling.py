"""Precision, recall and speed of shot detection on clips of the demo, whose cuts are known.

A detected cut is correct if it is at most 0.1 seconds from a true cut.

    python benchmarks/shot_sampling.py --clips 60
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path

from benchmark_results import Result, argument_parser, report_results, result
from loky import get_reusable_executor
from own_project import demo_photos

from video_recommender.media.clip_rendering import ClipRecipe, render_clip
from video_recommender.media.decoding import open_video
from video_recommender.media.sampling import PreprocessingOptions, ShotOptions, find_shots, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.sources.photos import ClipOptions, plan_clips

TOLERANCE_S = 0.1
CHOICES = {"": ShotOptions(), "content_": ShotOptions(detector="content")}
"""Prefix of the results, and the options; the default detector has no prefix."""


def main() -> None:
    """Compare both detectors, and the time with that of sampling at a fixed rate."""
    arguments = _parse()
    recipes = plan_clips(demo_photos(), ClipOptions(clips_per_category=arguments.clips // 4), arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary)] * len(recipes)
        clips = list(get_reusable_executor().map(render, folders, recipes))
        results = {}
        for prefix, options in CHOICES.items():
            results |= {f"{prefix}{key}": value for key, value in judge(clips, recipes, options).items()}
        at_rate, by_shots = PreprocessingOptions(), PreprocessingOptions(sampling="shots")
        ratio = seconds_of(partial(sample, clips, by_shots)) / seconds_of(partial(sample, clips, at_rate))
        frames = [sum(map(len, sample(clips, options))) for options in (at_rate, by_shots)]
    results |= {
        "clips": result(len(clips), "count", "clips", "size"),
        "time_ratio": result(ratio, "ratio", "time of shot sampling relative to sampling at a fixed rate"),
        "frames": result(frames[1], "count", "frames with shot sampling", "size"),
        "frames_at_rate": result(frames[0], "count", "frames with sampling at a fixed rate", "size"),
    }
    report_results(results, arguments.json)


def render(folder: Path, recipe: ClipRecipe) -> VideoFile:
    """Render one clip of the demo."""
    file = folder / recipe.video_id.replace("/", "-")
    file.write_bytes(render_clip(recipe))
    return VideoFile(file)


def judge(clips: list[VideoFile], recipes: list[ClipRecipe], options: ShotOptions) -> dict[str, Result]:
    """Compare the detected cuts with the true cuts."""
    hits = found_in_all = made_in_all = 0
    for clip, recipe in zip(clips, recipes, strict=True):
        made = list(accumulate(float(shot.frames / recipe.fps) for shot in recipe.shots))[:-1]
        with open_video(clip) as opened:
            found = [shot.start_s for shot in find_shots(opened, options)[1:]]
        hits += sum(any(abs(cut - near) <= TOLERANCE_S for near in found) for cut in made)
        found_in_all, made_in_all = found_in_all + len(found), made_in_all + len(made)
    return {
        "precision": result(hits / max(found_in_all, 1), "score", "detected cuts that are true", "held-out"),
        "recall": result(hits / max(made_in_all, 1), "score", "true cuts that are detected", "held-out"),
        "cuts": result(made_in_all, "count", "true cuts", "size"),
    }


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
    parser = argument_parser(__doc__)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
