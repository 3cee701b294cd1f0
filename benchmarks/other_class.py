"""How often a classification head predicts `other` for images of unknown and of known classes.

Each class of the training images that `kedro run --pipelines=transfer_learning` has left in data/ is left out once. A
head that is trained on the others should predict `other` for every image of that class, and for none of the known
classes; images of known classes are classified by heads that were trained without their group.

    python benchmarks/other_class.py
    python benchmarks/other_class.py --shares 0.01 0.05 0.1
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from sklearn.metrics import roc_auc_score

from video_recommender.networks.classification_head import ObjectSpaceProjection
from video_recommender.networks.cross_fitting import TrainingSet, cross_fit, gather_training_set
from video_recommender.networks.training_images import TransferLearningOptions

PROJECT = Path(__file__).parents[1]


def main() -> None:
    """Leave out each class in turn and print how well it is rejected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.02, 0.05, 0.1], help="of known images to reject")
    shares = parser.parse_args().shares
    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT) as session:
        context = session.load_context()
        images = context.catalog.load("training_images")
        properties = {key: state.properties for key, state in images.states.items()}
        training_set = gather_training_set(context.catalog.load("training_features"), properties)
        points = ObjectSpaceProjection.from_network(context.catalog.load("object_network"))
        options = TransferLearningOptions.model_validate(context.params["transfer_learning"])
    projection = points if options.features == "objects" else None
    print("requested share: predicted as `other`, of unknown / of known images")
    for left_out in training_set.class_names:
        figures = judge(training_set, left_out, projection, options, context.params["seed"], shares)
        print(f"without {left_out:12} {figures}", flush=True)


def judge(
    training_set: TrainingSet,
    left_out: str,
    projection: ObjectSpaceProjection | None,
    options: TransferLearningOptions,
    seed: int,
    shares: list[float],
) -> str:
    """Train without a class, and compare the confidence in its images with that in others."""
    is_unknown = (training_set.images["class_name"] == left_out).to_numpy()
    known = TrainingSet(training_set.images[~is_unknown].reset_index(drop=True), training_set.embeddings[~is_unknown])
    heads = cross_fit(known, options, seed, projection)
    final = replace(heads.final, rejection_threshold=0.0)
    unknown = final.predict(training_set.embeddings[is_unknown, 0]).probabilities.max(axis=1)
    fold, sure = heads.images["fold"].to_numpy(), heads.probabilities().max(axis=1)
    rejected = []
    for share in shares:
        limit = np.quantile(sure[fold > 0], share)
        # the limit of each fold comes from the other folds, as in the pipeline
        missed = [sure[fold == n] < np.quantile(sure[(fold > 0) & (fold != n)], share) for n in heads.by_fold]
        rejected.append(f"{share}: {np.mean(unknown < limit):.2f} / {np.concatenate(missed).mean():.2f}")
    is_known = np.repeat([0, 1], [len(unknown), (fold > 0).sum()])
    area = roc_auc_score(is_known, np.concatenate([unknown, sure[fold > 0]]))
    return f"area under the ROC curve {area:.3f}; {', '.join(rejected)}"


if __name__ == "__main__":
    main()
