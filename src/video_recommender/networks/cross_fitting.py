"""A head per fold, so that no image or video is judged by a head that has seen anything of its group."""

import logging
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold

from video_recommender.incremental.partitions import Partitions
from video_recommender.networks.calibration import (
    confidence_of_all_but,
    expected_calibration_error,
    fit_temperature,
)
from video_recommender.networks.classification_head import ClassificationHead, Logits
from video_recommender.networks.head_training import (
    FittedWeights,
    HeadTraining,
    LabelledInputs,
    train_head,
)
from video_recommender.networks.image_views import Features
from video_recommender.networks.last_block import LastBlock
from video_recommender.networks.object_points import ObjectPoints
from video_recommender.networks.training_options import TransferLearningOptions
from video_recommender.schemas import VideoPoints
from video_recommender.similarity.cross_validation import Folds, LabelledVideos, assign_folds

logger = logging.getLogger(__name__)

Chosen = NDArray[np.bool_]
"""Which of the training images, shape (images,)."""

OBJECTS_WEIGHT_DECAY, FEATURES_WEIGHT_DECAY = 0.1, 0.003
"""The one is high, because images are few and alike: hundreds of frames may show a dozen things. Logits come out small;
the temperature makes up for that. Features are of another scale, and who looks at them is said to have more images."""

VALIDATION_SPLITS = 5
"""A fifth of the groups that a head may learn from tells when to stop."""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """All training images as the network sees them.

    Attributes:
        images: a row per image: `image` (`<class>/<group>/<name>/<number>.jpg`), `source` (the video or photo that it
            is from), `class_name` and `group`.
        features: float32, shape (images, views, features); the image itself is the first view.
    """

    images: pd.DataFrame
    features: Features

    @property
    def class_names(self) -> tuple[str, ...]:
        """In alphabetical order, which is that of the labels."""
        return tuple(sorted(self.images["class_name"].unique()))

    @property
    def labels(self) -> NDArray[np.int64]:
        """The number of each image's class, shape (images,)."""
        codes = pd.Categorical(self.images["class_name"], categories=list(self.class_names)).codes
        return codes.astype(np.int64)

    @property
    def groups(self) -> NDArray[np.str_]:
        """What must not straddle a split, shape (images,)."""
        return self.images["group"].to_numpy(dtype=str)


@dataclass(frozen=True, eq=False)
class CrossFittedHeads:
    """A calibrated head that was trained on everything, and one per fold that was trained without it.

    Attributes:
        final: for what no head has seen.
        by_fold: by number of the fold, from 1; empty where nothing could be held out.
        images: see `TrainingSet.images`; also `fold`, in which the image was held out (0: in none) and `temperature`,
            by which its logits are to be divided.
        logits: what the head of its fold says of each image, before calibration; shape (images, classes).
        history: a row per fold and epoch: `fold` and what `FittedWeights.history` holds.
        temperature: of the final head.
    """

    final: ClassificationHead
    by_fold: Mapping[int, ClassificationHead]
    images: pd.DataFrame
    logits: Logits
    history: pd.DataFrame
    temperature: float

    def folds_of(self, groups: pd.Series) -> pd.Series:
        """Find the fold whose head has seen nothing of each group; 0 where none has, so that the final head may speak.

        Args:
            groups: the groups' names, as in `images`.
        """
        folds = self.images.drop_duplicates("group").set_index("group")["fold"]
        return groups.map(folds).fillna(0).astype(int)

    @property
    def folds(self) -> tuple[int, ...]:
        """Every fold for which there is a head; 0 stands for the final one."""
        return (0, *self.by_fold)

    def head_of(self, fold: int) -> ClassificationHead:
        """The head of a fold; 0 is the final one."""
        return self.by_fold[fold] if fold else self.final

    def probabilities(self, is_calibrated: bool = True) -> NDArray[np.float64]:
        """What the head of its fold says of each image, shape (images, classes)."""
        temperature = self.images["temperature"].to_numpy() if is_calibrated else np.ones(len(self.images))
        return np.asarray(softmax(self.logits.astype(np.float64) / temperature[:, np.newaxis], axis=1))


class HeadLearner:
    """Learns from some of the training images.

    Args:
        training_set: the images.
        options: see `TransferLearningOptions`.
        object_points: what turns features into what a head looks at; None: the features are that.
        last_block: the end of the network, where it is tuned after the head.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        options: TransferLearningOptions,
        object_points: ObjectPoints | None = None,
        last_block: LastBlock | None = None,
    ) -> None:
        self.training_set = training_set
        self.options = options
        self._object_points = object_points
        self._last_block = last_block
        inputs = object_points.place(training_set.features) if object_points else training_set.features
        self._inputs = LabelledInputs(inputs, training_set.labels)

    def learn(self, training: Chosen, validation: Chosen, epochs: tuple[int, ...] | None = None) -> FittedWeights:
        """Train a head until it gets no better, then anew on all of the images; or tune the last block after it.

        Args:
            training: the images to learn from.
            validation: those that tell when to stop; there may be none.
            epochs: for how long to train the head and to tune; None: as long as the options say.
        """
        options = self.options
        most = epochs or (options.epochs, options.epochs)
        weight_decay = OBJECTS_WEIGHT_DECAY if self._object_points else FEATURES_WEIGHT_DECAY
        how = HeadTraining(most[0], options.patience, options.learning_rate, weight_decay, options.seed)
        aside = self._inputs[validation] if validation.any() else None
        classes = len(self.training_set.class_names)
        fitted = train_head(self._inputs[training], aside, classes, how)
        if self._last_block is None:
            return fitted if aside is None else self._again_with_all(fitted, training | validation, classes, how)
        gently = replace(how, epochs=most[1], learning_rate=options.unfreeze_learning_rate)
        layers = self._object_points.layers() if self._object_points else []
        return self._last_block.tune(
            self._as_sure_as_right(fitted, training), layers, self.training_set.labels, (training, validation), gently
        )

    def _again_with_all(self, fitted: FittedWeights, chosen: Chosen, classes: int, how: HeadTraining) -> FittedWeights:
        """Train anew for as long as was best, now also on what was put aside: images are too few to waste them."""
        again = train_head(self._inputs[chosen], None, classes, replace(how, epochs=fitted.best_epochs[0]))
        return replace(fitted, weights=again.weights, bias=again.bias)

    def _as_sure_as_right(self, fitted: FittedWeights, chosen: Chosen) -> FittedWeights:
        """Undo how small regularisation makes the logits: the block would be tuned to make them greater, not better."""
        known = self._inputs[chosen]
        temperature = np.float32(fit_temperature(known.inputs[:, 0] @ fitted.weights + fitted.bias, known.labels))
        return replace(fitted, weights=fitted.weights / temperature, bias=fitted.bias / temperature)

    def head(self, fitted: FittedWeights) -> ClassificationHead:
        """Make a head, not calibrated yet, of trained weights."""
        return ClassificationHead(
            self.training_set.class_names, fitted.weights, fitted.bias, self._object_points, block=fitted.block
        )

    def logits(self, head: ClassificationHead, chosen: Chosen) -> Logits:
        """What a head says of some of the images as they are."""
        if self._last_block is None:
            return head.logits(self.training_set.features[chosen, 0])
        return head.logits(self._last_block.features(head.block, chosen))


def gather_training_set(training_features: Partitions[Features]) -> TrainingSet:
    """Put the features of all training images together, in order of their names."""
    columns = ["source", "class_name", "group"]
    parts, rows = [], []
    for key, stored in training_features.usable().items():
        part = stored.load()
        told = {column: stored.record.details[column] for column in columns}
        rows += [{"image": f"{key}/{number}.jpg", **told} for number in range(1, len(part) + 1)]
        parts.append(part)
    features = np.concatenate(parts) if parts else np.empty((0, 1, 0), np.float32)  # not one image could be read
    return TrainingSet(pd.DataFrame(rows, columns=["image", *columns]), features)


def cross_fit(learner: HeadLearner) -> CrossFittedHeads:
    """Train a head per fold without the groups of that fold, then one on everything.

    Of the groups that a head may learn from, some tell first when to stop; the held-out ones do not. How sure a head
    may be is learnt from what the heads of the other folds say of images that were held out from them: too few groups
    are put aside for that. The final head is trained for the median of the folds' best epochs.

    Returns:
        See `CrossFittedHeads`. Where nothing can be held out, there is the final head only, uncalibrated.
    """
    training_set, options = learner.training_set, learner.options
    labels, names = training_set.labels, training_set.class_names
    folds = deal_images(training_set.images, options.folds, options.seed)
    logits = np.zeros((len(labels), len(names)), np.float32)
    learnt: dict[int, FittedWeights] = {}
    for fold in (int(number) for number in np.unique(folds) if number):
        validation = choose_validation(labels, training_set.groups, folds != fold, options.seed)
        learnt[fold] = learner.learn((folds != fold) & ~validation, validation)
        logits[folds == fold] = learner.logits(learner.head(learnt[fold]), folds == fold)
    everything, nothing = np.ones(len(labels), bool), np.zeros(len(labels), bool)
    final = learner.head(learner.learn(everything, nothing, _median_epochs(learnt.values())))

    def calibrated(head: ClassificationHead, fold: int) -> tuple[ClassificationHead, float]:
        told = (folds > 0) & (folds != fold)
        temperature = fit_temperature(logits[told], labels[told])
        threshold = confidence_of_all_but(options.unsure_share, logits[told] / temperature)
        return replace(head.with_temperature(temperature), other_threshold=threshold), temperature

    heads = {fold: calibrated(learner.head(fitted), fold) for fold, fitted in learnt.items()}
    final, temperature = calibrated(final, 0)
    histories = [fitted.history.assign(fold=fold) for fold, fitted in learnt.items()]
    return CrossFittedHeads(
        final=final,
        by_fold={fold: head for fold, (head, _) in heads.items()},
        images=training_set.images.assign(
            fold=folds, temperature=[heads[fold][1] if fold else temperature for fold in folds]
        ),
        logits=logits,
        history=pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(),
        temperature=temperature,
    )


def measure_heads(heads: CrossFittedHeads) -> dict[str, float]:
    """Measure what heads say of images that they have not seen.

    Returns:
        `image_accuracy`; `source_accuracy`, of whole videos or photos by the mean of their images; the expected
        `calibration_error` and, without temperature, `calibration_error_before`; `temperature` of the final head. Of
        the first four, none where nothing was held out.
    """
    is_held_out = heads.images["fold"].to_numpy() > 0
    if not is_held_out.any():
        return {"temperature": heads.temperature}
    images = heads.images[is_held_out]
    names = list(heads.final.class_names)
    labels = pd.Categorical(images["class_name"], categories=names).codes.astype(np.int64)
    probabilities = heads.probabilities()[is_held_out]
    by_source = pd.DataFrame(probabilities, columns=names).groupby(images["source"].to_numpy())
    class_of_source = images.groupby("source")["class_name"].first()
    return {
        "image_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "source_accuracy": float((by_source.mean().idxmax(axis=1) == class_of_source).mean()),
        "calibration_error": expected_calibration_error(probabilities, labels),
        "calibration_error_before": expected_calibration_error(
            heads.probabilities(is_calibrated=False)[is_held_out], labels
        ),
        "temperature": heads.temperature,
    }


def deal_images(images: pd.DataFrame, folds: int, seed: int) -> Folds:
    """Deal images into folds, groups kept whole and classes spread evenly; see `assign_folds`.

    A class that a fold holds all groups of could not be learnt by the head of that fold; then nothing is held out.
    """
    by_image = images.set_index("image")
    nowhere = DataFrame[VideoPoints](pd.DataFrame({"axis": 0.0}, index=by_image.index.rename("video_id")))
    dealt = assign_folds(LabelledVideos(nowhere, by_image["class_name"], by_image["group"]), folds, seed)
    classes = images["class_name"].nunique()
    if any(images["class_name"][dealt != fold].nunique() < classes for fold in np.unique(dealt) if fold):
        logger.warning(
            "The new head cannot be measured: all images of a class are of one group, so that none could be held out. "
            "Add images that share no video, photo or uploader with them"
        )
        return np.zeros(len(images), np.int64)
    return dealt


def choose_validation(labels: NDArray[np.int64], groups: NDArray[np.str_], available: Chosen, seed: int) -> Chosen:
    """Choose images that tell when to stop, in groups of their own and of every class.

    Args:
        labels: int64, shape (images,).
        groups: str, shape (images,).
        available: those that may be chosen from.
        seed: of the choice.

    Returns:
        None where a class has but one group, which is needed to learn from.
    """
    chosen = np.zeros(len(labels), bool)
    rest = np.flatnonzero(available)
    kinds, parts = labels[rest], groups[rest]
    splits = min([VALIDATION_SPLITS, *(len(np.unique(parts[kinds == kind])) for kind in np.unique(kinds))])
    if splits < 2:
        return chosen
    splitter = StratifiedGroupKFold(splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of classes with fewer images than splits
        for training, validation in splitter.split(rest, kinds, parts):
            if set(kinds[training]) == set(kinds[validation]):
                chosen[rest[validation]] = True
                break
    return chosen


def _median_epochs(learnt: Collection[FittedWeights]) -> tuple[int, ...] | None:
    if not learnt:
        return None
    return tuple(round(float(median)) for median in np.median([fitted.best_epochs for fitted in learnt], axis=0))
