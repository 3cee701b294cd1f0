"""How well the whole works with other choices than the defaults: the table of docs/how_it_works.md.

Each choice is run on the demo corpus that `kedro run` has left in data/, in a project of its own, and printed as one
line. It takes about a minute per choice of features, and a few minutes per choice of frames or network.

    python benchmarks/choices.py
    python benchmarks/choices.py preprocessing.fit=squash
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
STAGES = "preprocessing,detection,feature_engineering,classification,recommendation"
CHOICES = (
    "features.scores=class_scores",
    "features.importance=tf_idf",
    "features.hellinger=false",
    "features.scores=detections",
    "features.scores=detections,features.hellinger=false",
    "features.detector=segmenter",
    "features.detector=segmenter,features.importance=area",
    "features.detector=segmenter,features.scores=detections",
    "preprocessing.fit=squash",
    "preprocessing.fit=letterbox",
    "detection.network=efficientnet-lite2,preprocessing.size=260",
)


def main() -> None:
    """Run and print every choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choices", nargs="*", default=CHOICES, help="parameters as `kedro run --params` takes them")
    for choice in parser.parse_args().choices:
        print(f"{choice}: {judge(choice)}", flush=True)


def judge(choice: str) -> str:
    """Run everything after ingestion with these parameters, and tell how good it is."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns(".*", "data", "mlruns", "mlflow.db", "build"))
        shutil.copyfile(PROJECT / ".telemetry", project / ".telemetry")
        shutil.copytree(PROJECT / "data", project / "data", symlinks=True)
        kedro = str(Path(sys.executable).with_name("kedro"))
        command = [kedro, "run", f"--pipelines={STAGES}", f"--params={choice}"]
        subprocess.run(command, cwd=project, check=True, capture_output=True)
        reporting = project / "data/08_reporting"
        recommendation = json.loads((reporting / "recommendation_metrics.json").read_text())
        classification = json.loads((reporting / "classification_metrics.json").read_text())
    accuracies = {
        name: round(classification[f"accuracy_{name}"], 3)
        for name in ("nearest_neighbours", "logistic_regression", "linear_svm")
    }
    precision = recommendation["precision_at_10_other_groups"]
    return f"precision@10 among other groups {precision:.3f}, accuracy {accuracies}"


if __name__ == "__main__":
    main()
