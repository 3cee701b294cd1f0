"""Precision and recall of near-duplicate detection on copies of some clips of the demo.

Each original has five copies: re-encoded, at another frame rate, at half the size, with 5 to 10 % of each edge cropped,
and an excerpt of 50 to 70 % of its length. All other clips are different videos of the same 60 photos.

    python benchmarks/near_duplicates.py --videos 300 --originals 30
    python benchmarks/near_duplicates.py --videos 10000 --originals 200 --small
"""

import argparse
import tempfile
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from benchmark_results import Result, argument_parser, report_results, result
from loky import get_reusable_executor
from numpy.typing import NDArray
from own_project import demo_photos

from video_recommender.media.clip_rendering import ClipRecipe, render_clip
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.similarity.duplicates import (
    DeduplicationOptions,
    HashedFrames,
    assign_originals,
    find_duplicate_pairs,
)
from video_recommender.similarity.perceptual_hash import hash_images
from video_recommender.sources.photos import DEFAULT_STYLE, ClipOptions, ClipStyle, plan_clips

KINDS = ("encoded", "rate", "resized", "cropped", "trimmed")
SMALL_STYLE = ClipStyle(sizes=((160, 120), (214, 120), (120, 160)), frame_rates=(Fraction(12),))
SMALL_SECONDS = {"seconds": (4.0, 6.0)}
SAMPLING = PreprocessingOptions()

Images = NDArray[np.uint8]
"""RGB, shape (frames, height, width, 3)."""


def main() -> None:
    """Measure precision, recall and the time of the search."""
    arguments = _parse()
    recipes = plan(arguments)
    begun = time.perf_counter()
    has_copies = [number < arguments.originals for number in range(len(recipes))]
    families = get_reusable_executor().map(hash_family, recipes, has_copies, range(len(recipes)), chunksize=4)
    videos = [video for family in families for video in family]
    print(f"{len(recipes)} clips rendered, with their copies, in {time.perf_counter() - begun:.0f} s")
    hashed = [hashes for _, _, hashes in videos]
    options = DeduplicationOptions(**({"max_mean_distance": arguments.threshold} if arguments.threshold else {}))
    begun = time.perf_counter()
    duplicates = assign_originals(find_duplicate_pairs(hashed, options), ranks(videos))
    seconds = time.perf_counter() - begun
    originals = {video: duplicate.original for video, duplicate in duplicates.items()}
    results = {
        "videos": result(len(videos), "count", "videos, copies included", "size"),
        "frames": result(sum(map(len, hashed)), "count", "hashed frames", "size"),
        "copies": result(arguments.originals * len(KINDS), "count", "copies among the videos", "size"),
        "search_seconds": result(seconds, "seconds", "search for near duplicates"),
        **evaluate(videos, originals),
    }
    report_results(results, arguments.json)


def plan(arguments: argparse.Namespace) -> list[ClipRecipe]:
    """Plan clips that, with their copies, have the requested number; the originals are from all categories."""
    clips = arguments.videos - arguments.originals * len(KINDS)
    options = ClipOptions(clips_per_category=-(-clips // 4), **(SMALL_SECONDS if arguments.small else {}))
    style = SMALL_STYLE if arguments.small else DEFAULT_STYLE
    recipes = plan_clips(demo_photos(), options, arguments.seed, style)
    order = np.random.default_rng(arguments.seed).permutation(len(recipes))
    return [recipes[position] for position in order[:clips]]


def hash_family(recipe: ClipRecipe, has_copies: bool, number: int) -> list[tuple[str, str, HashedFrames]]:
    """Render a clip and, if requested, its copies; return the clip's name, the kind and the hashes of each."""
    with tempfile.TemporaryDirectory() as temporary:
        original = Path(temporary, "original.mp4")
        original.write_bytes(render_clip(recipe))
        family = [(recipe.video_id, "original", hash_file(original))]
        for kind in KINDS if has_copies else ():
            copy = Path(temporary, f"{kind}.mp4")
            write_copy(original, copy, kind, np.random.default_rng([number, KINDS.index(kind)]))
            family.append((recipe.video_id, kind, hash_file(copy)))
        return family


def hash_file(file: Path) -> HashedFrames:
    """Hash the frames of a video as the pipelines do."""
    frames = sample_frames(VideoFile(file), SAMPLING).frames
    numbers, hashes = hash_images(frames.images())
    return HashedFrames((numbers - 1) / SAMPLING.frames_per_second, hashes)


def write_copy(original: Path, target: Path, kind: str, random: np.random.Generator) -> None:
    """Make one kind of copy."""
    with av.open(original) as container:
        rate = container.streams.video[0].average_rate or Fraction(25)
        images = np.array([image.to_ndarray(format="rgb24") for image in container.decode(video=0)])
    count, height, width = images.shape[:3]
    size, crf = (width, height), 30
    match kind:
        case "encoded":
            crf = 36
        case "rate":
            moments = np.arange(int(count / rate * 20)) / 20
            images, rate = images[np.minimum(count - 1, (moments * float(rate)).astype(int))], Fraction(20)
        case "resized":
            size = (width // 4 * 2, height // 4 * 2)
        case "cropped":
            left, right, top, bottom = random.uniform(0.05, 0.10, 4)
            rows = slice(int(height * top), int(height * (1 - bottom)))
            images = images[:, rows, int(width * left) : int(width * (1 - right))]
            size = (images.shape[2] // 2 * 2, images.shape[1] // 2 * 2)
        case "trimmed":
            length = int(count * random.uniform(0.5, 0.7))
            start = int(random.uniform(0, count - length))
            images = images[start : start + length]
    encode(images, target, rate, size, crf)


def encode(images: Images, target: Path, rate: Fraction, size: tuple[int, int], crf: int) -> None:
    """Encode images as H.264."""
    with av.open(target, "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame.reformat(*size, "yuv420p")))
        container.mux(stream.encode(None))


def ranks(videos: list[tuple[str, str, HashedFrames]]) -> list[int]:
    """Rank longer videos first, and a clip before copies of the same length."""
    order = sorted(
        range(len(videos)), key=lambda video: (-len(videos[video][2]), videos[video][1] != "original", video)
    )
    return np.argsort(order).tolist()


def evaluate(videos: list[tuple[str, str, HashedFrames]], originals: dict[int, int]) -> dict[str, Result]:
    """Compute the precision of the near duplicates that were found, and the recall of each kind of copy.

    A copy that was chosen as the original counts as found if the clip is reported as its near duplicate.
    """
    names = [name for name, _, _ in videos]
    right = {video for video, original in originals.items() if names[video] == names[original]}
    chosen_originals = {originals[video] for video in right if videos[video][1] == "original"}
    found = Counter(kind for video, (_, kind, _) in enumerate(videos) if video in right | chosen_originals)
    made = Counter(kind for _, kind, _ in videos)
    recall = sum(found[kind] for kind in KINDS) / sum(made[kind] for kind in KINDS)
    precision = len(right) / max(len(originals), 1)
    by_kind = {
        f"recall.{kind}": result(found[kind] / made[kind], "score", f"recall of copies: {kind}", "held-out")
        for kind in KINDS
    }
    return {
        "precision": result(precision, "score", "reported duplicates that are copies of the video", "held-out"),
        "recall": result(recall, "score", "copies that are found", "held-out"),
        **by_kind,
    }


def _parse() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--videos", type=int, default=300)
    parser.add_argument("--originals", type=int, default=30)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--small", action="store_true", help="clips of 160 × 120 pixels and 4 to 6 s, for large numbers"
    )
    parser.add_argument("--threshold", type=float, help="`max_mean_distance`; default: that of the pipeline")
    return parser.parse_args()


if __name__ == "__main__":
    main()
