"""The pipeline against the script that a textbook would write, on the same videos, from files to recommendations.

The script reads every frame with OpenCV and keeps some, lets `keras` predict video by video, and counts objects in
pandas loops. It has the same network, frame size and frame rate, and both end with a classifier's cross-validation and
ten neighbours per video. The script finds Keras's file of the network ready; the pipeline has to write LiteRT's:

    python benchmarks/textbook_script.py data             # the data folder of a finished `kedro run` of the demo
    python benchmarks/textbook_script.py data --videos 100
    python benchmarks/textbook_script.py data --clips 120  # rendered: 20 seconds of 1280 × 720 pixels each
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
from own_project import copy_project, render_clips, run_command, run_pipelines

from video_recommender.pipelines.detection.imagenet_classes import imagenet_class_names
from video_recommender.pipelines.detection.network import build_network

NETWORK = "efficientnet-lite0"
STAGES = "ingestion,preprocessing,deduplication,detection,feature_engineering,classification,recommendation"
SIZE = 224
FRAMES_PER_SECOND = 3.0
NEIGHBOURS = 10


def main() -> None:
    """Run both and print their seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=lambda place: Path(place).resolve())
    parser.add_argument("--videos", type=int, default=400)
    parser.add_argument("--clips", type=int, help="render so many instead of taking those of the demo")
    parser.add_argument("--script", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.script:
        run_script(*arguments.script)
        return
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        copy_project(project)
        stored = arguments.data / "01_raw/videos"
        if arguments.clips:
            render_clips(project, arguments.clips)
            stored = project / "data/01_raw/videos"
        videos = copy_videos(stored, Path(folder) / "videos", arguments.clips or arguments.videos)
        shutil.rmtree(project / "data", ignore_errors=True)
        network = Path(folder) / "network.keras"
        build_network(NETWORK).save(network)
        script_command = [sys.executable, __file__, str(arguments.data), "--script", str(videos), str(network)]
        began = time.perf_counter()
        told = run_command(script_command, Path(folder))
        script = time.perf_counter() - began
        print("\n".join(line for line in told.splitlines() if line.startswith("script:")))
        began = time.perf_counter()
        run_pipelines(project, STAGES, f"--params=ingestion.source=folder,ingestion.folder.path={videos}")
        pipeline = time.perf_counter() - began
    print(f"textbook script {script:.0f} s, pipeline {pipeline:.0f} s: {script / pipeline:.1f} times as fast")


def copy_videos(stored: Path, place: Path, videos: int) -> Path:
    """Copy as many of each category."""
    categories = sorted(folder for folder in stored.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for category in categories:
        (place / category.name).mkdir(parents=True)
        for file in sorted(category.glob("*.mp4"))[: videos // len(categories)]:
            shutil.copyfile(file, place / category.name / file.name)
    return place


def run_script(videos: Path, network: Path) -> None:
    """Do what the pipeline does, one step after the other."""
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder)
        with step("frames"):
            for video in sorted(videos.glob("*/*.mp4")):
                cut(video, frames / video.parent.name / video.stem)
        with step("objects"):
            detections = detect(frames, network)
        with step("features, categories, neighbours"):
            compare(count(detections))


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print how long it takes."""
    began = time.perf_counter()
    yield
    print(f"script: {name} {time.perf_counter() - began:.1f} s")


def cut(video: Path, folder: Path) -> None:
    """Read every frame, keep one in so many."""
    folder.mkdir(parents=True)
    capture = cv2.VideoCapture(str(video))
    every = max(1, round(capture.get(cv2.CAP_PROP_FPS) / FRAMES_PER_SECOND))
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


def detect(frames: Path, network_file: Path) -> pd.DataFrame:
    """Predict video by video, a row per frame."""
    import keras

    network = keras.models.load_model(network_file)
    names = imagenet_class_names()
    detections = pd.DataFrame(columns=["video", "frame", "class_name", "confidence"])
    for folder in sorted(frames.glob("*/*")):
        pictures = []
        for number in range(1, len(list(folder.glob("*.jpg"))) + 1):
            picture = cv2.cvtColor(cv2.imread(str(folder / f"{number}.jpg")), cv2.COLOR_BGR2RGB)
            pictures.append(picture.astype("float32"))
        for number, probabilities in enumerate(network.predict(np.stack(pictures), verbose=0), start=1):
            best = int(probabilities.argmax())
            video = f"{folder.parent.name}/{folder.name}"
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


if __name__ == "__main__":
    main()
