"""Speed and accuracy of `detection.reuse_below`: frames that hardly differ reuse the prediction of an earlier one.

Three kinds of film: the frames that `kedro run` has left in data/; a slide show and a still camera, which are encoded
here from photos, with noise, and sampled like any video. The network classifies every frame once, as the reference for
each threshold. Then `classify_frames` with and without reuse is timed on the same frames, in turns.

    python benchmarks/frame_reuse.py
    python benchmarks/choices.py detection.reuse_below=2
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from loky import get_reusable_executor
from numpy.typing import NDArray

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames, Picture
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.networks.detections import classify_frames, predict_changed_frames
from video_recommender.networks.frame_classifier import FramePredictions, LiteRTClassifier, convert_classifier
from video_recommender.networks.pretrained import build_network

DEMO = Path(__file__).parents[1] / "data/02_intermediate/frames"
NETWORK = "efficientnet-lite0"
THRESHOLDS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
HEIGHT, WIDTH, RATE = 480, 640, 30
NOISE = 2.0
"""Standard deviation of the grain of a camera, grey levels."""

Video = FrameFolder | EncodedFrames


@dataclass(frozen=True)
class Loss:
    """Effect of reuse on one video.

    Attributes:
        frames: number of frames.
        read: number of frames that are classified.
        renamed: number of frames whose class changes.
        score_error: mean absolute difference of the mean probabilities, over the classes that have at least 0.01.
    """

    frames: int
    read: int
    renamed: int
    score_error: float


class Recorded:
    """Returns recorded predictions of a network, and counts the frames that it is asked for."""

    def __init__(self, classifier: LiteRTClassifier, frames: Frames) -> None:
        self.class_names, self.digest = classifier.class_names, classifier.digest
        self.every = classifier.predict(frames)
        self._rows = {frame.tobytes(): row for row, frame in enumerate(frames)}
        self.asked = 0

    def predict(self, frames: Frames) -> FramePredictions:
        """Look up frames."""
        self.asked += len(frames)
        rows = [self._rows[frame.tobytes()] for frame in frames]
        return FramePredictions(self.every.probabilities[rows], self.every.embeddings[rows])


def main() -> None:
    """Print a line per film and threshold."""
    arguments = _parse()
    classifier = convert_classifier(build_network(NETWORK), NETWORK)
    demo: list[Video] = [FrameFolder(path) for path in sorted(DEMO.glob("[!.]*/*"))[:: arguments.every_nth_video]]
    films = {"demo": demo, "slide show": [_film(_slides())], "still camera": [_film(_surveillance())]}
    for name, videos in films.items():
        judged = list(get_reusable_executor().map(_judge, videos, [classifier] * len(videos)))
        timed = videos[:: max(1, len(videos) // 20)]
        for number, below in enumerate(THRESHOLDS):
            losses = [losses[number] for losses in judged]
            frames = sum(loss.frames for loss in losses)
            print(
                f"{name}, {len(videos)} videos, {frames} frames, below {below}: "
                f"{1 - sum(loss.read for loss in losses) / frames:.1%} skipped, "
                f"{_speed_up(timed, classifier, below):.2f} times as fast, "
                f"{sum(loss.renamed for loss in losses) / frames:.2%} renamed, "
                f"scores differ by {np.mean([loss.score_error for loss in losses]):.5f}",
                flush=True,
            )


def _judge(video: Video, classifier: LiteRTClassifier) -> list[Loss]:
    frames = video.decode()
    recorded = Recorded(classifier, frames)
    return [_loss(frames, recorded, below) for below in THRESHOLDS]


def _loss(frames: Frames, recorded: Recorded, below: float) -> Loss:
    recorded.asked = 0
    (reused,) = predict_changed_frames([frames], recorded, below)
    every = recorded.every.probabilities
    before, after = every.mean(axis=0), reused.probabilities.mean(axis=0)
    return Loss(
        frames=len(frames),
        read=recorded.asked,
        renamed=int((every.argmax(axis=1) != reused.probabilities.argmax(axis=1)).sum()),
        score_error=float(np.abs(before - after)[np.maximum(before, after) >= 0.01].mean()),
    )


def _speed_up(videos: list[Video], classifier: LiteRTClassifier, below: float, rounds: int = 2) -> float:
    sides = [
        partial(classify_frames, classifier=classifier),
        partial(classify_frames, classifier=classifier, reuse_below=below),
    ]
    seconds = [float("inf"), float("inf")]
    for _round in range(rounds):
        for number, side in enumerate(sides):
            start = time.perf_counter()
            for video in videos:
                side(video)
            seconds[number] = min(seconds[number], time.perf_counter() - start)
    return seconds[0] / seconds[1]


def _film(pictures: Iterator[NDArray[np.float64]]) -> EncodedFrames:
    """Encode pictures with the grain of a camera, and sample frames as preprocessing does."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(RATE))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for picture in pictures:
                grainy = (picture + random.normal(0, NOISE, picture.shape)).clip(0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grainy, format="rgb24")))
            container.mux(stream.encode())
        return sample_frames(VideoFile(path), PreprocessingOptions()).frames


def _slides(seconds: int = 5) -> Iterator[NDArray[np.float64]]:
    """Show each photo for some seconds."""
    for photo in PHOTOS:
        picture = _photo(photo)
        for _frame in range(seconds * RATE):
            yield picture.astype(np.float64)


def _surveillance(seconds: int = 40) -> Iterator[NDArray[np.float64]]:
    """Show a room in which only the light changes, and through which a cat is carried twice."""
    room, cat = _photo("coffee"), cv2.resize(_photo("chelsea"), (WIDTH // 3, HEIGHT // 3), interpolation=cv2.INTER_AREA)
    for frame in range(seconds * RATE):
        picture = room * (1 + 0.05 * np.sin(2 * np.pi * frame / (seconds * RATE)))
        visit = frame % (20 * RATE) - 8 * RATE
        if 0 <= visit < 4 * RATE:
            left = (WIDTH - WIDTH // 3) * visit // (4 * RATE)
            picture[HEIGHT // 3 : HEIGHT // 3 + len(cat), left : left + cat.shape[1]] = cat
        yield picture


def _photo(name: str) -> Picture:
    photo: Picture = getattr(skimage.data, name)()
    return cv2.resize(photo, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _parse() -> argparse.Namespace:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every-nth-video", type=int, default=1, help="sample of the demo")
    return parser.parse_args()


if __name__ == "__main__":
    main()
