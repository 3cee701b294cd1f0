"""Train a head for classes of one's own, judge it on what it has not seen, and name with it what frames show."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import Partitions, PartitionUpdates
from video_recommender.incremental.updates import Made, Part, Planned, bring_parts_up_to_date, bring_up_to_date
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.networks.classification_head import OTHER, ClassificationHead
from video_recommender.networks.cross_fitting import (
    CrossFittedHeads,
    HeadLearner,
    cross_fit,
    gather_training_set,
    measure_heads,
)
from video_recommender.networks.detections import VERSION as DETECTION_VERSION
from video_recommender.networks.detections import VideoDetections, name_objects, summarise_descriptions
from video_recommender.networks.finetuned_network import put_head_on
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.image_views import VERSION as VIEWS_VERSION
from video_recommender.networks.image_views import (
    Features,
    ImagesToView,
    describe_frames_of,
    describe_views,
    views_of,
)
from video_recommender.networks.keras_classifier import workers_for
from video_recommender.networks.last_block import LastBlock
from video_recommender.networks.learning_curves import learning_figure
from video_recommender.networks.litert_classifier import LiteRTClassifier, compile_for_cpu
from video_recommender.networks.object_points import ObjectPoints
from video_recommender.networks.pretrained import DetectionOptions, KerasModel, build_network
from video_recommender.networks.training_images import VERSION as TRAINING_IMAGES_VERSION
from video_recommender.networks.training_images import (
    ChosenFrames,
    ImageSource,
    ImageTask,
    check_classes,
    group_folders,
    list_image_folder,
)
from video_recommender.networks.training_options import TransferLearningOptions
from video_recommender.networks.weak_labels import (
    balance_classes,
    choose_distinct_frames,
    labelled_corpus,
)
from video_recommender.schemas import (
    CategoryPredictions,
    ClassEmbeddings,
    ClassScores,
    Corpus,
    Detections,
    FrameHashes,
    SkippedImages,
    TrainingImagePredictions,
)
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.evaluation import evaluate_detector
from video_recommender.similarity.object_space import FeatureOptions, score_objects
from video_recommender.similarity.plots import plot_confusion_matrix
from video_recommender.similarity.recommender import RecommendationOptions
from video_recommender.storage.digests import fingerprint

logger = logging.getLogger(__name__)

FoldClassifiers: TypeAlias = Mapping[int, LiteRTClassifier]
"""A compiled network per fold, 0 being the final one; none where only the last layer was trained."""


def collect_training_images(
    frames: Partitions[FrameFolder],
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    corpus: DataFrame[Corpus],
    stored_training_images: Partitions[FrameFolder],
    options: TransferLearningOptions,
    preprocessing: PreprocessingOptions,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Collect the images to learn from: those of a folder, or distinct frames of the videos with their category.

    Args:
        frames: per video, the folder of its frames.
        frame_hashes: tell which frames of a video look alike.
        corpus: category and group of each video.
        stored_training_images: what earlier runs have left.
        options: see `TransferLearningOptions`.
        preprocessing: tells how large frames are: images are made as large.
        workers: see `WorkerOptions`.

    Yields:
        The images of one video, or one photo, at a time; one that cannot be read has a record that says why.

    Raises:
        ValueError: if there are fewer than two classes, or one has too few images.
    """
    if options.images is not None:
        sources = list_image_folder(options.images, preprocessing.size)
    else:
        sources = _frames_of_videos(frames, frame_hashes, corpus, options)
    check_classes(
        pd.Series([source.class_name for source in sources for _ in range(source.images)]), options.least_images
    )
    planned = {
        source.key: Planned(
            fingerprint(TRAINING_IMAGES_VERSION, source.fingerprint, source.class_name, source.group),
            source.task,
            {"class_name": source.class_name, "group": source.group, "source": source.source, "images": source.images},
        )
        for source in sources
    }
    yield from bring_up_to_date(planned, stored_training_images, _read, workers, "Collecting images")


def list_skipped_images(training_images: Partitions[FrameFolder]) -> DataFrame[SkippedImages]:
    """List the images that could not be read, and why."""
    rows = [
        {"image": stored.record.details["source"], "status": stored.record.status, "error": stored.record.error}
        for stored in training_images.values()
        if not stored.record.is_ok
    ]
    if rows:
        logger.warning("%d images cannot be read and are left out: see skipped_images", len(rows))
    return SkippedImages.validate(pd.DataFrame(rows, columns=list(SkippedImages.to_schema().columns)))


def describe_training_images(
    training_images: Partitions[FrameFolder],
    stored_training_features: Partitions[Features],
    object_classifier: FrameClassifier,
    options: TransferLearningOptions,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Run the frozen network over the training images and changed views of them, once.

    Args:
        training_images: what to look at.
        stored_training_features: what earlier runs have left.
        object_classifier: the network, ready to run.
        options: how many views, and the seed of their changes.
        workers: see `WorkerOptions`.

    Yields:
        The features of one video's or photo's images at a time: float32, shape (images, 1 + views, features).
    """
    planned = {
        key: Planned(
            fingerprint(
                VIEWS_VERSION,
                stored.record.fingerprint,
                object_classifier.fingerprint,
                options.views,
                options.seed,
            ),
            ImagesToView(stored.load(), options.views, _seed(key, options)),
            stored.record.details,
        )
        for key, stored in training_images.usable().items()
    }
    describe = partial(_describe_views, classifier=object_classifier)
    workers = workers_for(object_classifier, workers)
    yield from bring_up_to_date(planned, stored_training_features, describe, workers, "Looking at images")


def describe_frames(
    frames: Partitions[FrameFolder],
    stored_frame_features: Partitions[Features],
    object_classifier: FrameClassifier,
    options: TransferLearningOptions,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Run the frozen network over all frames, once: a new head then names them in no time.

    Args:
        frames: per video, the folder of its frames.
        stored_frame_features: what earlier runs have left.
        object_classifier: the network, ready to run.
        options: where the last block is tuned, each fold has a network of its own, and this is left as it is.
        workers: see `WorkerOptions`.

    Yields:
        The features of one video's frames at a time: float32, shape (frames, features).
    """
    if options.unfreeze:
        yield {}
        return
    planned = {
        video_id: Planned(
            fingerprint(VIEWS_VERSION, stored.record.fingerprint, object_classifier.fingerprint),
            stored.load(),
        )
        for video_id, stored in frames.usable().items()
    }
    describe = partial(_describe_frames, classifier=object_classifier)
    workers = workers_for(object_classifier, workers)
    yield from bring_up_to_date(planned, stored_frame_features, describe, workers, "Looking at frames")


def build_object_network(detection_options: DetectionOptions) -> KerasModel:
    """Build the network that names objects in Keras, to learn on top of it."""
    return build_network(detection_options.network)


def train_heads(
    training_images: Partitions[FrameFolder],
    training_features: Partitions[Features],
    object_network: KerasModel,
    options: TransferLearningOptions,
) -> CrossFittedHeads:
    """Train a head per fold without the groups of that fold, and one on everything.

    Args:
        training_images: looked at only where the last block is tuned too.
        training_features: what the frozen network has seen in them.
        object_network: the network; its last block is copied where it is tuned too.
        options: see `TransferLearningOptions`.

    Returns:
        See `CrossFittedHeads`.

    Raises:
        ValueError: if too few images could be read.
    """
    training_set = gather_training_set(training_features)
    check_classes(training_set.images["class_name"], options.least_images)
    object_points = ObjectPoints.of(object_network) if options.looks_at == "objects" else None
    if not options.unfreeze:
        return cross_fit(HeadLearner(training_set, options, object_points))
    views = (
        np.stack(list(image))
        for key in training_features.usable()
        for image in views_of(training_images[key].load().decode(), options.views, _seed(key, options))
    )
    return cross_fit(HeadLearner(training_set, options, object_points, LastBlock(object_network, views)))


def list_image_predictions(finetuned_heads: CrossFittedHeads) -> DataFrame[TrainingImagePredictions]:
    """Tell what each training image is taken for by a head that has not seen it: where to look for wrong labels.

    Returns:
        A row per image that could be held out, the most surprising first.
    """
    names = np.array(finetuned_heads.final.class_names, dtype=object)
    probabilities = finetuned_heads.probabilities()
    labels = np.searchsorted(names, finetuned_heads.images["class_name"].to_numpy(dtype=object))
    table = finetuned_heads.images.assign(
        predicted_class=names[probabilities.argmax(axis=1)],
        probability=probabilities.max(axis=1).clip(max=1),
        probability_of_class=probabilities[np.arange(len(labels)), labels].clip(max=1),
    )
    columns = list(TrainingImagePredictions.to_schema().columns)
    held_out = table[table["fold"] > 0].sort_values(["probability_of_class", "image"], ignore_index=True)
    return TrainingImagePredictions.validate(held_out[columns])


def build_finetuned_network(object_network: KerasModel, finetuned_heads: CrossFittedHeads) -> KerasModel:
    """Put the final head on the network."""
    return put_head_on(object_network, finetuned_heads.final)


def compile_finetuned_classifier(finetuned_network: KerasModel, finetuned_heads: CrossFittedHeads) -> LiteRTClassifier:
    """Compile the network with the final head for the CPU."""
    return compile_for_cpu(finetuned_network, finetuned_network.name, finetuned_heads.final.output_names)


def compile_fold_classifiers(object_network: KerasModel, finetuned_heads: CrossFittedHeads) -> FoldClassifiers:
    """Compile the network of each fold for the CPU, where more than the last layer was trained."""
    if not finetuned_heads.final.block:
        return {}
    networks = {fold: put_head_on(object_network, finetuned_heads.head_of(fold)) for fold in finetuned_heads.folds}
    return {
        fold: compile_for_cpu(network, network.name, finetuned_heads.head_of(fold).output_names)
        for fold, network in networks.items()
    }


def name_finetuned_classes(finetuned_heads: CrossFittedHeads) -> dict[str, int]:
    """Tell which output of the network stands for which class, from 0."""
    return {name: number for number, name in enumerate(finetuned_heads.final.output_names)}


def read_finetuned_class_embeddings(finetuned_heads: CrossFittedHeads) -> DataFrame[ClassEmbeddings]:
    """Read what the final head knows of how classes resemble each other."""
    return finetuned_heads.final.embeddings()


def detect_finetuned_objects(
    frames: Partitions[FrameFolder],
    frame_features: Partitions[Features],
    corpus: DataFrame[Corpus],
    finetuned_heads: CrossFittedHeads,
    finetuned_fold_classifiers: FoldClassifiers,
    stored_finetuned_detections: Partitions[DataFrame[Detections]],
    stored_finetuned_class_scores: Partitions[DataFrame[ClassScores]],
    workers: WorkerOptions,
) -> Iterator[tuple[PartitionUpdates, ...]]:
    """Name what each frame shows, with a head that has not learnt from the video nor from anything of its group.

    Args:
        frames: per video, the folder of its frames.
        frame_features: what the frozen network has seen in them.
        corpus: the group of each video.
        finetuned_heads: the heads; the final one names the frames of videos of which none has learnt.
        finetuned_fold_classifiers: the compiled networks, where more than the last layer was trained.
        stored_finetuned_detections: the detections that earlier runs have left.
        stored_finetuned_class_scores: the mean class probabilities that earlier runs have left.
        workers: see `WorkerOptions`.

    Yields:
        One video's detections and mean class probabilities at a time.
    """
    folds = finetuned_heads.folds_of(_group_folders_of_videos(corpus))
    features = frame_features.usable()
    planned, networks = {}, {}
    for video_id, stored in frames.usable().items():
        fold = int(folds.get(video_id, 0))
        head = finetuned_heads.head_of(fold)
        networks[fold] = _FoldNetwork(head, finetuned_fold_classifiers.get(fold))
        planned[video_id] = Planned(
            fingerprint(DETECTION_VERSION, VIEWS_VERSION, stored.record.fingerprint, head.fingerprint),
            _FramesToName(video_id, stored.load, features[video_id].load if video_id in features else None, fold),
            {"fold": fold},
        )
    parts = [
        Part(stored_finetuned_detections, attrgetter("detections")),
        Part(stored_finetuned_class_scores, attrgetter("class_scores")),
    ]
    name = partial(_name, networks=networks)
    yield from bring_parts_up_to_date(planned, parts, name, workers, "Naming classes in frames")


def measure_transfer_learning(
    finetuned_heads: CrossFittedHeads,
    detections: Partitions[DataFrame[Detections]],
    class_scores: Partitions[DataFrame[ClassScores]],
    class_embeddings: DataFrame[ClassEmbeddings],
    finetuned_detections: Partitions[DataFrame[Detections]],
    finetuned_class_scores: Partitions[DataFrame[ClassScores]],
    finetuned_class_embeddings: DataFrame[ClassEmbeddings],
    corpus: DataFrame[Corpus],
    features: FeatureOptions,
    classification: ClassificationOptions,
    recommendation: RecommendationOptions,
    seed: int,
) -> dict[str, float]:
    """Measure the heads on images that they have not seen, and beside the 1,000-class network on the same videos.

    Args:
        finetuned_heads: what each says of the images that were held out from it.
        detections: what the 1,000-class network has seen: this and the next two.
        class_scores: see above.
        class_embeddings: see above.
        finetuned_detections: what the new heads have seen: this and the next two.
        finetuned_class_scores: see above.
        finetuned_class_embeddings: see above.
        corpus: category and group of each video.
        features: how objects become points.
        classification: how categories are learnt from points.
        recommendation: how many videos are recommended.
        seed: random seed.

    Returns:
        `image_accuracy`, `source_accuracy` (of videos or photos, by the mean of their images) and
        `calibration_error` with and without `_before`, all out of fold; `temperature`, `other_share` of the corpus's
        frames; and, with the prefixes `object_detector_` and `finetuned_`, the metrics of `evaluate_detector`.
        Metrics that cannot be measured are missing.
    """
    # neither of the two measures areas, so that they are compared without if the segmenter is chosen
    formula = "confidence_share" if features.importance == "area" else features.importance
    chosen = features.model_copy(update={"detector": "finetuned", "importance": formula})
    evaluated: dict[str, float] = {}
    for detector, per_frame, per_class, embeddings in (
        ("object_detector", detections.usable(), class_scores.usable(), class_embeddings),
        ("finetuned", finetuned_detections.usable(), finetuned_class_scores.usable(), finetuned_class_embeddings),
    ):
        videos, classes = pd.Index(per_frame, dtype=str), pd.Index(embeddings.index)
        scores = score_objects(per_frame.blocks(), per_class.blocks(), videos, classes, chosen)
        metrics = evaluate_detector(scores, embeddings, corpus, chosen, classification, recommendation, seed)
        evaluated |= {f"{detector}_{name}": value for name, value in metrics.items()}
    named = pd.concat([stored.load()["class_name"] for stored in finetuned_detections.usable().values()])
    return {
        **measure_heads(finetuned_heads),
        "other_share": float((named == OTHER).mean()),
        "n_images": len(finetuned_heads.images),
        "n_classes": len(finetuned_heads.final.class_names),
        "n_folds": len(finetuned_heads.by_fold),
        **evaluated,
    }


def draw_learning_curves(finetuned_heads: CrossFittedHeads) -> go.Figure:
    """Draw how the heads have learnt."""
    return learning_figure(finetuned_heads.history)


def draw_finetuned_confusion_matrix(training_image_predictions: DataFrame[TrainingImagePredictions]) -> go.Figure:
    """Draw which classes held-out images are taken for."""
    named = training_image_predictions.rename(
        columns={"image": "video_id", "class_name": "category", "predicted_class": "predicted_category"}
    )
    columns = list(CategoryPredictions.to_schema().columns)
    return plot_confusion_matrix(CategoryPredictions.validate(named[columns]), items="images", label="class")


@dataclass(frozen=True)
class _FramesToName:
    video_id: str
    frames: Callable[[], FrameFolder]
    features: Callable[[], Features] | None
    fold: int


@dataclass(frozen=True)
class _FoldNetwork:
    head: ClassificationHead
    classifier: LiteRTClassifier | None


def _name(task: _FramesToName, networks: Mapping[int, _FoldNetwork]) -> Made[VideoDetections]:
    network = networks[task.fold]
    if network.classifier is not None:
        named = name_objects(task.frames(), network.classifier)
    else:
        described = [network.head.describe(task.features())] if task.features else []
        named = summarise_descriptions(described, network.head.output_names, task.video_id)
    return Made(named, {"frames": len(named.detections)})


def _frames_of_videos(
    frames: Partitions[FrameFolder],
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    corpus: DataFrame[Corpus],
    options: TransferLearningOptions,
) -> list[ImageSource]:
    labelled = labelled_corpus(corpus)
    hashes, folders = frame_hashes.usable(), _group_folders_of_videos(corpus)
    chosen: dict[str, list[int]] = {}
    for video_id in labelled.index.intersection(list(frames.usable())):
        if video_id in hashes:
            table = hashes[video_id].load()
            chosen[video_id] = choose_distinct_frames(
                table["frame"].to_numpy(np.int64), table["zoom_100"].to_numpy(np.uint64), options.frames_per_video
            )
    sources = []
    for video_id, numbers in balance_classes(chosen, labelled["class_name"]).items():
        category, slug = video_id.split("/")
        sources.append(
            ImageSource(
                key=f"{category}/{folders[video_id]}/{slug}",
                class_name=str(labelled.loc[video_id, "class_name"]),
                group=str(folders[video_id]),
                source=video_id,
                fingerprint=fingerprint(frames[video_id].record.fingerprint, numbers),
                images=len(numbers),
                task=ChosenFrames(frames[video_id].load(), tuple(numbers)),
            )
        )
    return sources


def _group_folders_of_videos(corpus: DataFrame[Corpus]) -> pd.Series:
    groups = corpus.set_index("video_id")["group"]
    return groups.map(group_folders(groups.tolist()))


def _read(task: ImageTask) -> Made[EncodedFrames]:
    return Made(task.read())


def _describe_views(task: ImagesToView, classifier: FrameClassifier) -> Made[Features]:
    return Made(describe_views(task, classifier))


def _describe_frames(folder: FrameFolder, classifier: FrameClassifier) -> Made[Features]:
    return Made(describe_frames_of(folder, classifier))


def _seed(key: str, options: TransferLearningOptions) -> int:
    return int(fingerprint(key, options.seed), base=16)
