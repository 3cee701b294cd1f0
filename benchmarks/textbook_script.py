"""Speed of the pipeline relative to a textbook script, on the same videos, from files to recommendations.

The script decodes every frame with OpenCV and keeps some, predicts with Keras video by video, and counts objects in
pandas loops. It uses the same network, frame size and frame rate. Both end with a cross-validated classifier and ten
neighbours per video. The script loads the network as a Keras file; the pipeline converts it to LiteRT.

    python benchmarks/textbook_script.py --videos 200   # clips of the demo, which `kedro run` has stored in data/
    python benchmarks/textbook_script.py --clips 80     # rendered: 20 seconds of 1280 × 720 pixels each
    python benchmarks/textbook_script.py --long 40      # two minutes each, encoded like web videos; needs ffmpeg
    python benchmarks/textbook_script.py --folder my/videos --rate 0.5   # MP4 files; a frame every 2 seconds
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from benchmark_results import argument_parser, report_results, result
from numpy.typing import NDArray
from own_project import SECONDS, copy_project, publish_clips, render_clips, run_command, run_pipelines

from video_recommender.networks.pretrained import build_network, imagenet_class_names

NETWORK = "efficientnet-lite0"
STAGES = "ingestion,preprocessing,deduplication,detection,feature_engineering,classification,recommendation"
SIZE = 224
LONG_SECONDS = 120
DATA = Path(__file__).parents[1] / "data"
NEIGHBOURS = 10
STEPS = {
    "frames": "decode the videos and save frames",
    "network": "import Keras and classify the frames",
    "table": "append a table row per frame",
    "analysis": "compute features, cross-validate the classifier, find neighbours",
}

Predictions = dict[str, NDArray[np.float32]]
"""Probabilities per video, shape (frames, classes)."""


def main() -> None:
    """Run both and compare their times."""
    arguments = _parse()
    if arguments.script:
        run_script(*arguments.script, arguments.rate)
        return
    with tempfile.TemporaryDirectory() as folder:
        project, network, videos, frames = (
            Path(folder) / name for name in ("project", "network.keras", "videos", "frames")
        )
        stage_videos(arguments, Path(folder) / "rendered", videos)
        copy_project(project)
        build_network(NETWORK).save(network)
        began = time.perf_counter()
        # The script's frames are not deleted: ext4 creates files slowly after thousands were deleted
        paths = map(str, (videos, network, frames))
        output = run_command(
            [sys.executable, __file__, "--rate", str(arguments.rate), "--script", *paths], Path(folder)
        )
        script = time.perf_counter() - began
        taken = json.loads(output.splitlines()[-1])
        began = time.perf_counter()
        run_pipelines(
            project,
            STAGES,
            f"--params=ingestion.source=folder,ingestion.folder.path={videos},"
            f"preprocessing.frames_per_second={arguments.rate}",
        )
        pipeline = time.perf_counter() - began
    results = {
        "pipeline_seconds": result(pipeline, "seconds", "the pipeline"),
        "script_seconds": result(script, "seconds", "the script"),
        **{f"script.{name}_seconds": result(taken[name], "seconds", f"script: {STEPS[name]}") for name in STEPS},
        "speed_up": result(script / pipeline, "ratio", "speed of the pipeline relative to the script"),
        "speed_up_without_table": result(
            (script - taken["table"]) / pipeline, "ratio", "speed relative to the script without its table step"
        ),
    }
    report_results(results, arguments.json)


def stage_videos(arguments: argparse.Namespace, rendered: Path, folder: Path) -> None:
    """Render or copy the requested videos into a folder per category."""
    folder.mkdir()
    if arguments.long and shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is missing: install it to encode the videos of --long")
    if arguments.long:
        publish_clips(render_clips(rendered, arguments.long, LONG_SECONDS), folder)
    elif arguments.clips:
        copy_videos(render_clips(rendered, arguments.clips), folder, arguments.clips)
    else:
        copy_videos(arguments.folder or arguments.data / "01_raw/videos", folder, arguments.videos)


def copy_videos(stored: Path, folder: Path, videos: int) -> None:
    """Copy the same number of videos of each category."""
    categories = sorted(folder for folder in stored.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for category in categories:
        (folder / category.name).mkdir()
        for file in sorted(category.glob("*.mp4"))[: videos // len(categories)]:
            shutil.copyfile(file, folder / category.name / file.name)


def run_script(videos: Path, network: Path, frames: Path, rate: float) -> None:
    """Run the textbook script and print the seconds of each step as JSON."""
    seconds: dict[str, float] = {}
    with timed("frames", seconds):
        for video in sorted(videos.glob("*/*.mp4")):
            sample_frames(video, frames / video.parent.name / video.stem, rate)
    with timed("network", seconds):
        predictions = predict(frames, network)
    with timed("table", seconds):
        detections = classify_frames(predictions)
    with timed("analysis", seconds):
        analyse(count_objects(detections))
    print(json.dumps(seconds))


@contextmanager
def timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Record the time of a step."""
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began


def sample_frames(video: Path, folder: Path, rate: float) -> None:
    """Decode every frame and save frames at the given rate."""
    folder.mkdir(parents=True)
    capture = cv2.VideoCapture(str(video))
    every = max(1, round(capture.get(cv2.CAP_PROP_FPS) / rate))
    read = kept = 0
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        if read % every == 0:
            kept += 1
            cv2.imwrite(str(folder / f"{kept}.jpg"), cv2.resize(frame, (SIZE, SIZE)))
        read += 1
    capture.release()


def predict(frames: Path, network_file: Path) -> Predictions:
    """Classify the frames video by video."""
    import keras

    network = keras.models.load_model(network_file)
    predictions = {}
    for folder in sorted(frames.glob("*/*")):
        images = []
        for number in range(1, len(list(folder.glob("*.jpg"))) + 1):
            image = cv2.cvtColor(cv2.imread(str(folder / f"{number}.jpg")), cv2.COLOR_BGR2RGB)
            images.append(image.astype("float32"))
        predictions[f"{folder.parent.name}/{folder.name}"] = network.predict(np.stack(images), verbose=0)
    return predictions


def classify_frames(predictions: Predictions) -> pd.DataFrame:
    """Append one row per frame."""
    names = imagenet_class_names()
    detections = pd.DataFrame(columns=["video", "frame", "class_name", "confidence"])
    for video, frames in predictions.items():
        for number, probabilities in enumerate(frames, start=1):
            best = int(probabilities.argmax())
            detections.loc[len(detections)] = [video, number, names[best], float(probabilities[best])]
    return detections


def count_objects(detections: pd.DataFrame) -> pd.DataFrame:
    """Sum confidences: one row per video, one column per object."""
    features = pd.DataFrame(
        0.0, index=sorted(detections["video"].unique()), columns=sorted(detections["class_name"].unique())
    )
    for _, row in detections.iterrows():
        features.loc[row["video"], row["class_name"]] += row["confidence"]
    return features


def analyse(features: pd.DataFrame) -> None:
    """Cross-validate a classifier, and find the neighbours of each video."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics.pairwise import cosine_similarity
    from sklearn.model_selection import cross_val_score

    categories = [video.split("/")[0] for video in features.index]
    accuracy = cross_val_score(LogisticRegression(max_iter=1000), features, categories, cv=5).mean()
    similarity = pd.DataFrame(cosine_similarity(features), index=features.index, columns=features.index)
    neighbours = {
        video: similarity.loc[video].drop(video).sort_values(ascending=False).head(NEIGHBOURS).index.tolist()
        for video in features.index
    }
    print(json.dumps({"accuracy": round(float(accuracy), 3), "videos": len(neighbours)}))


def _parse() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="data folder of a run of the demo")
    parser.add_argument("--videos", type=int, default=400, help="number of videos, the same of each category")
    parser.add_argument("--clips", type=int, help=f"render this number of clips of {SECONDS} s instead")
    parser.add_argument("--long", type=int, help=f"render this number of web videos of {LONG_SECONDS} s instead")
    parser.add_argument(
        "--folder",
        type=lambda folder: Path(folder).resolve(),
        help="folder with a sub-folder of MP4 files per category, instead of the demo",
    )
    parser.add_argument("--rate", type=float, default=3.0, help="frames per second")
    parser.add_argument("--script", type=Path, nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
