"""How often a head says `other` of pictures of a class that it has never learnt, and of pictures of its own classes.

Each class of the training images that `kedro run --pipelines=transfer_learning` has left in data/ is left out once. The
head that learns the others is then asked about it: every picture should be `other`. Of the classes it has learnt, none
should be; these pictures are asked of heads that have seen nothing of their group.

    python benchmarks/other_class.py
    python benchmarks/other_class.py --thresholds 0.5 0.9
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from sklearn.metrics import roc_auc_score

from video_recommender.pipelines.transfer_learning.cross_fitting import (
    HeadLearner,
    TrainingSet,
    cross_fit,
    gather_training_set,
)
from video_recommender.pipelines.transfer_learning.object_points import ObjectPoints
from video_recommender.pipelines.transfer_learning.training_options import TransferLearningOptions

PROJECT = Path(__file__).parents[1]


def main() -> None:
    """Leave out each class in turn and print how well it is told from the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thresholds", nargs="+", type=float, default=[0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
    thresholds = parser.parse_args().thresholds
    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT) as session:
        context = session.load_context()
        training_set = gather_training_set(context.catalog.load("training_features"))
        points = ObjectPoints.of(context.catalog.load("object_network"))
        options = TransferLearningOptions.model_validate(context.params["transfer_learning"])
    looks_at = points if options.looks_at == "objects" else None
    print("said to be `other`, of unknown and of known pictures, by threshold")
    for left_out in training_set.class_names:
        print(f"without {left_out:12} {judge(training_set, left_out, looks_at, options, thresholds)}", flush=True)


def judge(
    training_set: TrainingSet,
    left_out: str,
    looks_at: ObjectPoints | None,
    options: TransferLearningOptions,
    thresholds: list[float],
) -> str:
    """Train without a class, and tell how sure the heads are of it and of the others."""
    is_unknown = (training_set.images["class_name"] == left_out).to_numpy()
    known = TrainingSet(training_set.images[~is_unknown].reset_index(drop=True), training_set.features[~is_unknown])
    heads = cross_fit(HeadLearner(known, options, looks_at))
    final = replace(heads.final, other_threshold=0.0)
    unsure = final.describe(training_set.features[is_unknown, 0]).probabilities.max(axis=1)
    sure = heads.probabilities()[heads.images["fold"] > 0].max(axis=1)
    is_known = np.repeat([0, 1], [len(unsure), len(sure)])
    shares = [f"{at}: {np.mean(unsure < at):.2f} / {np.mean(sure < at):.2f}" for at in thresholds]
    return f"AUC {roc_auc_score(is_known, np.concatenate([unsure, sure])):.3f}; {', '.join(shares)}"


if __name__ == "__main__":
    main()
