"""Precision and accuracy with other parameters than the defaults: the table of docs/how_it_works.md.

Runs each choice on the demo corpus that `kedro run` has left in data/, in a project of its own, and prints one line. A
choice of features takes about a minute, one of frames or network a few minutes.

    python benchmarks/choices.py
    python benchmarks/choices.py preprocessing.fit=squash
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from own_project import PROJECT, copy_project, run_pipelines

STAGES = "preprocessing,detection,feature_engineering,classification,recommendation"
CHOICES = (
    "feature_engineering.scores=class_scores",
    "feature_engineering.importance=tf_idf",
    "feature_engineering.hellinger=false",
    "feature_engineering.scores=detections",
    "feature_engineering.scores=detections,feature_engineering.hellinger=false",
    "feature_engineering.detector=segmenter",
    "feature_engineering.detector=segmenter,feature_engineering.importance=area",
    "feature_engineering.detector=segmenter,feature_engineering.scores=detections",
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
    """Run everything after ingestion with these parameters, and report the metrics."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        copy_project(project)
        shutil.copytree(PROJECT / "data", project / "data", symlinks=True)
        run_pipelines(project, STAGES, f"--params={choice}")
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
