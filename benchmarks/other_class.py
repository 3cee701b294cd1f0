"""How often a classification head predicts `other` for images of an unknown class.

Runs transfer learning on the demo corpus that `kedro run` has stored in data/, in a copy of the project, with the
categories as classes. Then each class is excluded once: a head that is trained on the other classes should predict
`other` for every image of that class, and for no image of the known classes. Images of known classes are classified by
heads that were trained without their group.

    python benchmarks/other_class.py
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmark_results import Result, argument_parser, report_results, result
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from own_project import PROJECT, copy_project, run_pipelines
from sklearn.metrics import roc_auc_score

from video_recommender.networks.classification_head import ObjectSpaceProjection
from video_recommender.networks.cross_fitting import TrainingSet, cross_fit, gather_training_set
from video_recommender.networks.training_images import TransferLearningOptions


def main() -> None:
    """Exclude each class in turn, and measure how often it is rejected."""
    arguments = argument_parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        copy_project(project)
        shutil.copytree(PROJECT / "data", project / "data", symlinks=True)
        run_pipelines(project, "transfer_learning")
        bootstrap_project(project)
        with KedroSession.create(project) as session:
            context = session.load_context()
            images = context.catalog.load("training_images")
            properties = {key: state.properties for key, state in images.states.items()}
            training_set = gather_training_set(context.catalog.load("training_features"), properties)
            points = ObjectSpaceProjection.from_network(context.catalog.load("object_network"))
            options = TransferLearningOptions.model_validate(context.params["transfer_learning"])
            seed = context.params["seed"]
    results = {}
    projection = points if options.features == "objects" else None
    for excluded in training_set.class_names:
        measured = judge(training_set, excluded, projection, options, seed)
        results |= {f"{excluded}.{key}": value for key, value in measured.items()}
    report_results(results, arguments.json)


def judge(
    training_set: TrainingSet,
    excluded: str,
    projection: ObjectSpaceProjection | None,
    options: TransferLearningOptions,
    seed: int,
) -> dict[str, Result]:
    """Train without a class, and compare the confidence in its images with that in images of known classes."""
    is_unknown = (training_set.images["class_name"] == excluded).to_numpy()
    known = TrainingSet(training_set.images[~is_unknown].reset_index(drop=True), training_set.embeddings[~is_unknown])
    heads = cross_fit(known, options, seed, projection)
    final = replace(heads.final, rejection_threshold=0.0)
    unknown = final.predict(training_set.embeddings[is_unknown, 0]).probabilities.max(axis=1)
    fold, confidence = heads.images["fold"].to_numpy(), heads.probabilities().max(axis=1)
    share = options.rejection_rate
    # As in the pipeline, the threshold of each fold comes from the other folds
    thresholds = {n: np.quantile(confidence[(fold > 0) & (fold != n)], share) for n in heads.by_fold}
    rejected = np.concatenate([confidence[fold == n] < threshold for n, threshold in thresholds.items()])
    is_rejected = unknown < np.quantile(confidence[fold > 0], share)
    is_known = np.repeat([0, 1], [len(unknown), (fold > 0).sum()])
    area = roc_auc_score(is_known, np.concatenate([unknown, confidence[fold > 0]]))
    return {
        "rejected": result(is_rejected.mean(), "share", f"images of {excluded} that are called other", "held-out"),
        "known_rejected": result(
            rejected.mean(),
            "share",
            f"images of the other classes that are called other, without {excluded}",
            "held-out",
        ),
        "roc_auc": result(area, "score", f"area under the ROC curve, without {excluded}", "held-out"),
    }


if __name__ == "__main__":
    main()
