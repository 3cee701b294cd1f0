"""Precision@10 and category accuracy with other parameters than the defaults.

Runs each choice on the demo corpus that `kedro run` has stored in data/, in a copy of the project. A choice of features
takes half a minute, one of frames or network a few minutes.

    python benchmarks/choices.py
    python benchmarks/choices.py preprocessing.fit=letterbox
"""

import json
import shutil
import tempfile
from pathlib import Path

from benchmark_results import Result, argument_parser, report_results, result
from own_project import PROJECT, copy_project, run_pipelines

STAGES = "preprocessing,detection,feature_engineering,classification,recommendation"
CHOICES = {
    "feature_engineering.importance=tf_idf": "tf_idf",
    "feature_engineering.hellinger=false": "no_hellinger",
    "feature_engineering.scores=detections": "detections",
    "feature_engineering.detector=segmenter": "segmenter",
    "feature_engineering.detector=segmenter,feature_engineering.importance=area": "segmenter_area",
    "feature_engineering.detector=finetuned": "finetuned",
    "preprocessing.fit=squash": "squash",
    "detection.network=efficientnet-lite2,preprocessing.size=260": "lite2",
}
"""Parameters, and the name of the choice in the results."""


def main() -> None:
    """Measure every choice."""
    parser = argument_parser(__doc__)
    parser.add_argument("choices", nargs="*", default=[*CHOICES], help="parameters in the form of `kedro run --params`")
    arguments = parser.parse_args()
    results = {}
    for choice in arguments.choices:
        results |= {
            f"{CHOICES.get(choice, choice)}_{key}": measured for key, measured in measure_choice(choice).items()
        }
    report_results(results, arguments.json)


def measure_choice(choice: str) -> dict[str, Result]:
    """Run all stages after ingestion with these parameters, and return the metrics."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        copy_project(project)
        shutil.copytree(PROJECT / "data", project / "data", symlinks=True)
        if "finetuned" in choice:
            run_pipelines(project, "transfer_learning")
        run_pipelines(project, STAGES, f"--params={choice}")
        reporting = project / "data/08_reporting"
        recommendation = json.loads((reporting / "recommendation_metrics.json").read_text())
        classification = json.loads((reporting / "classification_metrics.json").read_text())
    precision = recommendation["precision_at_10_other_groups"]
    return {
        "precision_at_10_other_groups": result(
            precision, "score", f"precision@10 among videos of other groups with {choice}", "held-out"
        ),
        "accuracy": result(
            classification["accuracy"], "share", f"category accuracy of held-out videos with {choice}", "held-out"
        ),
    }


if __name__ == "__main__":
    main()
