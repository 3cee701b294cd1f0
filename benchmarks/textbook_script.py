"""Speed of the pipeline relative to a textbook script, on the same videos, from files to recommendations.

The script reads every frame with OpenCV and keeps some, predicts with Keras video by video, and counts objects in
pandas loops. It uses the same network, frame size and frame rate; both end with a cross-validated classifier and ten
neighbours per video. The script loads the network as a Keras file; the pipeline has to convert it:

    python benchmarks/textbook_script.py --videos 200   # clips of the demo: `kedro run` has left them in data/
    python benchmarks/textbook_script.py --clips 80     # rendered: 20 seconds of 1280 × 720 pixels each
    python benchmarks/textbook_script.py --films 40     # two minutes each, encoded as sites do; needs ffmpeg
    python benchmarks/textbook_script.py --folder my/videos --rate 0.5   # MP4 files; a frame in 2 seconds
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
from numpy.typing import NDArray
from own_project import SECONDS, copy_project, publish_clips, render_clips, run_command, run_pipelines

from video_recommender.networks.pretrained import build_network, imagenet_class_names

NETWORK = "efficientnet-lite0"
STAGES = "ingestion,preprocessing,deduplication,detection,feature_engineering,classification,recommendation"
SIZE = 224
FILM_SECONDS = 120
DATA = Path(__file__).parents[1] / "data"
NEIGHBOURS = 10

Predictions = dict[str, NDArray[np.float32]]
"""Of each video, the probabilities of all classes: a row per frame."""


def main() -> None:
    """Run both and print their seconds."""
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
        # the script's frames stay: right after thousands of files were deleted, ext4 is slow to make new ones
        paths = map(str, (videos, network, frames))
        output = run_command(
            [sys.executable, __file__, "--rate", str(arguments.rate), "--script", *paths], Path(folder)
        )
        script = time.perf_counter() - began
        print("\n".join(line for line in output.splitlines() if line.startswith("script:")))
        began = time.perf_counter()
        run_pipelines(
            project,
            STAGES,
            f"--params=ingestion.source=folder,ingestion.folder.path={videos},"
            f"preprocessing.frames_per_second={arguments.rate}",
        )
        pipeline = time.perf_counter() - began
    print(f"textbook script {script:.0f} s, pipeline {pipeline:.0f} s: {script / pipeline:.1f} times as fast")


def stage_videos(arguments: argparse.Namespace, rendered: Path, folder: Path) -> None:
    """Render or copy the requested videos into a folder per category."""
    folder.mkdir()
    if arguments.films and shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is not installed: it encodes the films.")
    if arguments.films:
        publish_clips(render_clips(rendered, arguments.films, FILM_SECONDS), folder)
    elif arguments.clips:
        copy_videos(render_clips(rendered, arguments.clips), folder, arguments.clips)
    else:
        copy_videos(arguments.folder or arguments.data / "01_raw/videos", folder, arguments.videos)


def copy_videos(stored: Path, folder: Path, videos: int) -> None:
    """Copy as many of each category."""
    categories = sorted(folder for folder in stored.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for category in categories:
        (folder / category.name).mkdir()
        for file in sorted(category.glob("*.mp4"))[: videos // len(categories)]:
            shutil.copyfile(file, folder / category.name / file.name)


def run_script(videos: Path, network: Path, frames: Path, rate: float) -> None:
    """Do what the pipeline does, one step after the other."""
    with step("frames"):
        for video in sorted(videos.glob("*/*.mp4")):
            cut(video, frames / video.parent.name / video.stem, rate)
    with step("network"):
        predictions = predict(frames, network)
    with step("table, row by row"):
        detections = classify_frames(predictions)
    with step("features, categories, neighbours"):
        compare(count(detections))


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print how long it takes."""
    began = time.perf_counter()
    yield
    print(f"script: {name} {time.perf_counter() - began:.1f} s")


def cut(video: Path, folder: Path, rate: float) -> None:
    """Read every frame, keep one in so many."""
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
    """Predict video by video."""
    import keras

    network = keras.models.load_model(network_file)
    predictions = {}
    for folder in sorted(frames.glob("*/*")):
        pictures = []
        for number in range(1, len(list(folder.glob("*.jpg"))) + 1):
            picture = cv2.cvtColor(cv2.imread(str(folder / f"{number}.jpg")), cv2.COLOR_BGR2RGB)
            pictures.append(picture.astype("float32"))
        predictions[f"{folder.parent.name}/{folder.name}"] = network.predict(np.stack(pictures), verbose=0)
    return predictions


def classify_frames(predictions: Predictions) -> pd.DataFrame:
    """Append a row per frame."""
    names = imagenet_class_names()
    detections = pd.DataFrame(columns=["video", "frame", "class_name", "confidence"])
    for video, frames in predictions.items():
        for number, probabilities in enumerate(frames, start=1):
            best = int(probabilities.argmax())
            detections.loc[len(detections)] = [video, number, names[best], float(probabilities[best])]
    return detections


def count(detections: pd.DataFrame) -> pd.DataFrame:
    """Sum up confidences: a row per video, a column per object."""
    features = pd.DataFrame(
        0.0, index=sorted(detections["video"].unique()), columns=sorted(detections["class_name"].unique())
    )
    for _, row in detections.iterrows():
        features.loc[row["video"], row["class_name"]] += row["confidence"]
    return features


def compare(features: pd.DataFrame) -> None:
    """Cross-validate a classifier, and find each video's neighbours."""
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that `kedro run` has left")
    parser.add_argument("--videos", type=int, default=400, help="how many, evenly from the categories")
    parser.add_argument("--clips", type=int, help=f"render so many of {SECONDS} s instead")
    parser.add_argument("--films", type=int, help=f"render so many of {FILM_SECONDS} s instead, encoded as sites do")
    parser.add_argument(
        "--folder",
        type=lambda folder: Path(folder).resolve(),
        help="MP4 files, a folder per category, instead of the demo's",
    )
    parser.add_argument("--rate", type=float, default=3.0, help="frames per second")
    parser.add_argument("--script", type=Path, nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
