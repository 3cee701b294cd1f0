"""Speed and accuracy of `detection.reuse_below`, which reuses predictions for frames that hardly change.

Three kinds of video: the demo, whose frames `kedro run` has stored in data/; a slide show; and a still camera. The last
two are encoded from photos, with noise, and sampled like any video. The network classifies every frame once, as the
reference for each threshold. Then `classify_frames` is timed with and without reuse on the same frames, in turn.

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
from benchmark_results import argument_parser, report_results, result
from loky import get_reusable_executor
from numpy.typing import NDArray

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames, RgbImage
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.networks.detections import classify_frames, predict_changed_frames
from video_recommender.networks.frame_classifier import FramePredictions, LiteRTClassifier, convert_classifier
from video_recommender.networks.pretrained import build_network

DEMO = Path(__file__).parents[1] / "data/02_intermediate/frames"
NETWORK = "efficientnet-lite0"
THRESHOLDS = (1.0, 2.0, 5.0)
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
HEIGHT, WIDTH, RATE = 480, 640, 30
NOISE = 2.0
"""Standard deviation of the camera's noise, in grey levels."""

Video = FrameFolder | EncodedFrames


@dataclass(frozen=True)
class Loss:
    """Effect of reuse on one video.

    Attributes:
        frames: number of frames.
        classified: number of frames that the network classifies.
        changed: number of frames whose class changes.
    """

    frames: int
    classified: int
    changed: int


class Recorded:
    """Returns recorded predictions of a network, and counts the requested frames."""

    def __init__(self, classifier: LiteRTClassifier, frames: Frames) -> None:
        self.class_names, self.digest = classifier.class_names, classifier.digest
        self.every = classifier.predict(frames)
        self._rows = {frame.tobytes(): row for row, frame in enumerate(frames)}
        self.requested = 0

    def predict(self, frames: Frames) -> FramePredictions:
        """Return the recorded predictions of frames."""
        self.requested += len(frames)
        rows = [self._rows[frame.tobytes()] for frame in frames]
        return FramePredictions(self.every.probabilities[rows], self.every.embeddings[rows])


def main() -> None:
    """Measure each kind of video at each threshold."""
    arguments = _parse()
    classifier = convert_classifier(build_network(NETWORK), NETWORK)
    demo: list[Video] = [FrameFolder(path) for path in sorted(DEMO.glob("[!.]*/*"))[:: arguments.every_nth_video]]
    kinds = {"demo": demo, "slide_show": [_encode(_slides())], "still_camera": [_encode(_surveillance())]}
    results = {}
    for name, videos in kinds.items():
        judged = list(get_reusable_executor().map(_judge, videos, [classifier] * len(videos)))
        timed = videos[:: max(1, len(videos) // 20)]
        for number, below in enumerate(THRESHOLDS):
            losses = [losses[number] for losses in judged]
            frames = sum(loss.frames for loss in losses)
            reused = 1 - sum(loss.classified for loss in losses) / frames
            changed = sum(loss.changed for loss in losses) / frames
            where = f"in {name} with reuse_below={below:g}"
            results |= {
                f"{name}.{below:g}.reused": result(reused, "share", f"frames that reuse a prediction {where}"),
                f"{name}.{below:g}.changed": result(changed, "share", f"frames with another class {where}", "held-out"),
                f"{name}.{below:g}.speed_up": result(
                    _speed_up(timed, classifier, below), "ratio", f"speed of detection {where}"
                ),
            }
    report_results(results, arguments.json)


def _judge(video: Video, classifier: LiteRTClassifier) -> list[Loss]:
    frames = video.decode()
    recorded = Recorded(classifier, frames)
    return [_loss(frames, recorded, below) for below in THRESHOLDS]


def _loss(frames: Frames, recorded: Recorded, below: float) -> Loss:
    recorded.requested = 0
    (reused,) = predict_changed_frames([frames], recorded, below)
    is_changed = recorded.every.probabilities.argmax(axis=1) != reused.probabilities.argmax(axis=1)
    return Loss(frames=len(frames), classified=recorded.requested, changed=int(is_changed.sum()))


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


def _encode(images: Iterator[NDArray[np.float64]]) -> EncodedFrames:
    """Encode images with the noise of a camera, and sample frames as preprocessing does."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(RATE))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for image in images:
                noisy = (image + random.normal(0, NOISE, image.shape)).clip(0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
            container.mux(stream.encode())
        return sample_frames(VideoFile(path), PreprocessingOptions()).frames


def _slides(seconds: int = 5) -> Iterator[NDArray[np.float64]]:
    """Yield each photo for some seconds."""
    for photo in PHOTOS:
        image = _photo(photo)
        for _frame in range(seconds * RATE):
            yield image.astype(np.float64)


def _surveillance(seconds: int = 40) -> Iterator[NDArray[np.float64]]:
    """Yield a scene in which only the light changes, except that a cat crosses it twice."""
    room, cat = _photo("coffee"), cv2.resize(_photo("chelsea"), (WIDTH // 3, HEIGHT // 3), interpolation=cv2.INTER_AREA)
    for frame in range(seconds * RATE):
        image = room * (1 + 0.05 * np.sin(2 * np.pi * frame / (seconds * RATE)))
        visit = frame % (20 * RATE) - 8 * RATE
        if 0 <= visit < 4 * RATE:
            left = (WIDTH - WIDTH // 3) * visit // (4 * RATE)
            image[HEIGHT // 3 : HEIGHT // 3 + len(cat), left : left + cat.shape[1]] = cat
        yield image


def _photo(name: str) -> RgbImage:
    photo: RgbImage = getattr(skimage.data, name)()
    return cv2.resize(photo, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _parse() -> argparse.Namespace:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argument_parser(__doc__)
    parser.add_argument("--every-nth-video", type=int, default=1, help="sample of the demo")
    return parser.parse_args()


if __name__ == "__main__":
    main()
