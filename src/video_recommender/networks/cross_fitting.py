"""Cross-fitting: one head per fold, so that no image or video is classified by a head trained on its group."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold

from video_recommender.networks.classification_head import ClassificationHead, Logits, ObjectSpaceProjection
from video_recommender.networks.frame_classifier import Embeddings
from video_recommender.networks.head_training import (
    FittedHead,
    HeadHyperparameters,
    expected_calibration_error,
    find_rejection_threshold,
    fit_temperature,
    train_head,
)
from video_recommender.networks.training_images import TransferLearningOptions
from video_recommender.schemas import VideoPoints
from video_recommender.similarity.category_models import Folds, LabelledVideos, assign_folds

logger = logging.getLogger(__name__)

Selection = NDArray[np.bool_]  # mask of training images, shape (images,)

OBJECTS_WEIGHT_DECAY: Final = 0.1
"""The value is high because images are few and similar. Temperature scaling compensates for the small logits."""

EMBEDDING_WEIGHT_DECAY: Final = 0.003  # lower, because embeddings have another scale and more images
VALIDATION_SPLITS: Final = 5  # one fifth of the training groups is used for early stopping


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The embeddings of all training images.

    Attributes:
        images: one row per image, with the columns `image` (`<class>/<group>/<name>/<number>.jpg`), `source` (the
            video or photo), `class_name` and `group`.
        embeddings: shape (images, views, features); the first view is the image itself.
    """

    images: pd.DataFrame
    embeddings: Embeddings

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in alphabetical order."""
        return tuple(sorted(self.images["class_name"].unique()))

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index of each image's class in `class_names`, shape (images,)."""
        return np.searchsorted(self.class_names, self.images["class_name"].to_numpy(dtype=str))


@dataclass(frozen=True, eq=False)
class CrossFittedHeads:
    """A calibrated head trained on all images, and one calibrated head per fold, trained without the fold's images.

    Attributes:
        final: head trained on all images, for new videos.
        by_fold: mapping from fold numbers (1-based) to heads, empty if no images can be held out.
        images: `TrainingSet.images` with two more columns: `fold`, in which the image was held out (0 if it was not
            held out), and `temperature`, the divisor of the logits of the image.
        logits: out-of-fold logits before calibration, float32, shape (images, classes).
        history: one row per fold and epoch, with `fold` and the columns of `FittedHead.history`.
        temperature: temperature of the final head.
    """

    final: ClassificationHead
    by_fold: Mapping[int, ClassificationHead]
    images: pd.DataFrame
    logits: Logits
    history: pd.DataFrame
    temperature: float

    def folds_of(self, groups: pd.Series) -> pd.Series:
        """Return the fold (1-based) in which each group was held out, or 0 for groups without training images."""
        folds = self.images.drop_duplicates("group").set_index("group")["fold"]
        return groups.map(folds).fillna(0).astype(int)

    def head_of(self, fold: int) -> ClassificationHead:
        """Return the head of a fold, or the final head for fold 0."""
        return self.by_fold[fold] if fold else self.final

    def probabilities(self, *, is_calibrated: bool = True) -> NDArray[np.float64]:
        """Compute the out-of-fold probabilities of each image, shape (images, classes)."""
        temperature = self.images["temperature"].to_numpy() if is_calibrated else np.ones(len(self.images))
        return np.asarray(softmax(self.logits.astype(np.float64) / temperature[:, np.newaxis], axis=1))


def gather_training_set(
    training_features: Mapping[str, Callable[[], Embeddings]], properties: Mapping[str, Mapping[str, Any]]
) -> TrainingSet:
    """Concatenate the embeddings of all training images.

    Args:
        training_features: mapping from keys of videos or photos to functions that load their embeddings, shape (images,
            views, features).
        properties: mapping from the same keys to properties, which include `source`, `class_name` and `group`.
    """
    columns = ["source", "class_name", "group"]
    parts, rows = [np.empty((0, 1, 0), np.float32)], []
    for key, load in training_features.items():
        parts.append(load())
        known = {column: properties[key][column] for column in columns}
        rows += [{"image": f"{key}/{number}.jpg", **known} for number in range(1, len(parts[-1]) + 1)]
    return TrainingSet(pd.DataFrame(rows, columns=["image", *columns]), np.concatenate(parts[1:] or parts))


def cross_fit(
    training_set: TrainingSet,
    options: TransferLearningOptions,
    seed: int,
    projection: ObjectSpaceProjection | None = None,
) -> CrossFittedHeads:
    """Train one head per fold without the groups of the fold, then one head on all images.

    Some of the training groups are used for early stopping. Then the head is trained on all training groups for the
    best number of epochs. The final head is trained for the median of these numbers. The temperature and rejection
    threshold of a head are fitted to the out-of-fold logits of the other folds, because validation groups are too few.

    If no images can be held out, only the final head is trained, and it is not calibrated. Without a projection, the
    inputs of the heads are embeddings.
    """
    labels, names = training_set.labels, training_set.class_names
    groups = training_set.images["group"].to_numpy(dtype=str)
    inputs = projection.project(training_set.embeddings) if projection else training_set.embeddings
    decay = OBJECTS_WEIGHT_DECAY if projection else EMBEDDING_WEIGHT_DECAY
    hyperparameters = HeadHyperparameters(options.epochs, options.learning_rate, decay, seed)

    def head(fitted: FittedHead) -> ClassificationHead:
        return ClassificationHead(names, fitted.weights, fitted.bias, projection)

    folds = assign_image_folds(training_set.images, options.folds, seed)
    logits = np.zeros((len(labels), len(names)), np.float32)
    fitted_by_fold: dict[int, FittedHead] = {}
    for fold in (int(number) for number in np.unique(folds) if number):
        is_held_out = folds == fold
        validation = select_validation(labels, groups, ~is_held_out, seed)
        fitted_by_fold[fold] = _fit(inputs, labels, ~is_held_out, validation, hyperparameters)
        logits[is_held_out] = head(fitted_by_fold[fold]).logits(training_set.embeddings[is_held_out, 0])
    if fitted_by_fold:
        median = float(np.median([fitted.best_epoch for fitted in fitted_by_fold.values()]))
        hyperparameters = replace(hyperparameters, epochs=round(median))
    no_image = np.zeros(len(labels), bool)
    heads = {0: head(train_head(inputs, labels, ~no_image, no_image, hyperparameters))}
    heads |= {fold: head(fitted) for fold, fitted in fitted_by_fold.items()}
    temperatures: dict[int, float] = {}
    for fold, uncalibrated in heads.items():
        others = (folds > 0) & (folds != fold)
        temperatures[fold] = fit_temperature(logits[others], labels[others])
        threshold = find_rejection_threshold(options.rejection_rate, logits[others] / temperatures[fold])
        heads[fold] = replace(uncalibrated.with_temperature(temperatures[fold]), rejection_threshold=threshold)
    final = heads.pop(0)
    histories = [fitted.history.assign(fold=fold) for fold, fitted in fitted_by_fold.items()]
    return CrossFittedHeads(
        final=final,
        by_fold=heads,
        images=training_set.images.assign(fold=folds, temperature=[temperatures[fold] for fold in folds]),
        logits=logits,
        history=pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(),
        temperature=temperatures[0],
    )


def measure_heads(heads: CrossFittedHeads) -> dict[str, float]:
    """Measure heads on held-out images.

    Returns:
        `image_accuracy`; `source_accuracy`, the accuracy for videos or photos when probabilities are averaged over the
        images; `calibration_error` and `calibration_error_before`, the expected calibration errors after and before
        temperature scaling (all 0 to 1); `temperature` of the final head. Without held-out images, only `temperature`.
    """
    is_held_out = heads.images["fold"].to_numpy() > 0
    if not is_held_out.any():
        return {"temperature": heads.temperature}
    images = heads.images[is_held_out]
    names = list(heads.final.class_names)
    labels = np.searchsorted(names, images["class_name"].to_numpy(dtype=str))
    probabilities = heads.probabilities()[is_held_out]
    uncalibrated = heads.probabilities(is_calibrated=False)[is_held_out]
    by_source = pd.DataFrame(probabilities, columns=names).groupby(images["source"].to_numpy())
    class_of_source = images.groupby("source")["class_name"].first()
    return {
        "image_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "source_accuracy": float((by_source.mean().idxmax(axis=1) == class_of_source).mean()),
        "calibration_error": expected_calibration_error(probabilities, labels),
        "calibration_error_before": expected_calibration_error(uncalibrated, labels),
        "temperature": heads.temperature,
    }


def assign_image_folds(images: pd.DataFrame, n_folds: int, seed: int) -> Folds:
    """Assign images to folds by group, stratified by class; see `assign_folds`.

    Returns:
        Fold (1-based) of each image, shape (images,). All are 0 if one fold would contain every group of a class.
    """
    by_image = images.set_index("image")
    no_points = DataFrame[VideoPoints](pd.DataFrame({"axis": 0.0}, index=by_image.index.rename("video_id")))
    folds = assign_folds(LabelledVideos(no_points, by_image["class_name"], by_image["group"]), n_folds, seed)
    classes = images["class_name"].nunique()
    if any(images["class_name"][folds != fold].nunique() < classes for fold in np.unique(folds) if fold):
        logger.warning(
            "The new head cannot be evaluated, because all images of a class belong to one group: add images of other "
            "videos, photos or uploaders"
        )
        return np.zeros(len(images), np.int64)
    return folds


def select_validation(
    labels: NDArray[np.int64], groups: NDArray[np.str_], available: Selection, seed: int
) -> Selection:
    """Select available images for early stopping: groups of every class, as a mask of shape (images,).

    No image is selected if a class has only one group, because training needs that group.
    """
    selected = np.zeros(len(labels), bool)
    rows = np.flatnonzero(available)
    row_labels, row_groups = labels[rows], groups[rows]
    groups_per_class = [len(np.unique(row_groups[row_labels == label])) for label in np.unique(row_labels)]
    splits = min([VALIDATION_SPLITS, *groups_per_class])
    if splits < 2:
        return selected
    splitter = StratifiedGroupKFold(splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # warns about classes with fewer images than splits
        for training, validation in splitter.split(rows, row_labels, row_groups):
            if set(row_labels[training]) == set(row_labels[validation]):
                selected[rows[validation]] = True
                break
    return selected


def _fit(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    available: Selection,
    validation: Selection,
    hyperparameters: HeadHyperparameters,
) -> FittedHead:
    """Find the best number of epochs, then train on training and validation images together."""
    fitted = train_head(inputs, labels, available & ~validation, validation, hyperparameters)
    if not validation.any():
        return fitted
    best = replace(hyperparameters, epochs=fitted.best_epoch)
    again = train_head(inputs, labels, available, np.zeros_like(validation), best)
    return replace(fitted, weights=again.weights, bias=again.bias)
