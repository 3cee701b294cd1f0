"""Train a classification head for a user's classes, evaluate it on held-out videos, and classify frames with it."""

import logging
from collections.abc import Iterator
from functools import partial
from operator import attrgetter

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import Partitions, PartitionUpdates, StoredPartition
from video_recommender.incremental.updates import Made, Part, Planned, bring_parts_up_to_date, bring_up_to_date
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.networks.augmentation import VERSION as AUGMENTATION_VERSION
from video_recommender.networks.augmentation import Embeddings, embed_frames, embed_views
from video_recommender.networks.classification_head import (
    OTHER,
    ObjectSpaceProjection,
    attach_head,
    classify_embeddings,
)
from video_recommender.networks.conversion import convert_classifier
from video_recommender.networks.cross_fitting import CrossFittedHeads, cross_fit, gather_training_set, measure_heads
from video_recommender.networks.detections import VERSION as DETECTION_VERSION
from video_recommender.networks.detections import DetectionOptions, VideoDetections
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.head_training import learning_curve_figure
from video_recommender.networks.keras_classifier import workers_for
from video_recommender.networks.litert_classifier import LiteRTClassifier
from video_recommender.networks.pretrained import KerasModel, build_network
from video_recommender.networks.training_images import VERSION as TRAINING_IMAGES_VERSION
from video_recommender.networks.training_images import (
    ImageReader,
    ImageSource,
    SelectedFrames,
    TransferLearningOptions,
    balance_classes,
    check_classes,
    group_folders,
    labelled_corpus,
    list_image_folder,
    select_distinct_frames,
)
from video_recommender.schemas import (
    CategoryPredictions,
    ClassEmbeddings,
    ClassScores,
    ClassScoreTable,
    Corpus,
    Detections,
    FrameHashes,
    SkippedImages,
    TrainingImagePredictions,
)
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.confusion_figure import confusion_figure
from video_recommender.similarity.detector_comparison import SeenObjects, judge_detector
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.similarity.recommender import RecommendationOptions
from video_recommender.storage.digests import fingerprint

logger = logging.getLogger(__name__)


def collect_training_images(
    frames: Partitions[FrameFolder],
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    corpus: DataFrame[Corpus],
    stored_training_images: Partitions[FrameFolder],
    options: TransferLearningOptions,
    preprocessing: PreprocessingOptions,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Collect training images from a folder, or distinct frames of the videos with their category as label.

    Yields:
        The images of one video or photo at a time; photos are cropped to the size of frames (`preprocessing.size`).

    Raises:
        ValueError: if there are fewer than two classes, or one has too few images.
    """
    if options.images is not None:
        sources = list_image_folder(options.images, preprocessing.size)
    else:
        sources = _list_video_frames(frames, frame_hashes, corpus, options)
    labels = pd.Series([source.class_name for source in sources for _ in range(source.images)])
    check_classes(labels, options.min_images)
    planned = {
        source.key: Planned(
            fingerprint(TRAINING_IMAGES_VERSION, source.digest, source.class_name, source.group),
            source.reader,
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
        logger.warning("%d images cannot be read and are skipped: see skipped_images", len(rows))
    return SkippedImages.validate(pd.DataFrame(rows, columns=list(SkippedImages.to_schema().columns)))


def embed_training_images(
    training_images: Partitions[FrameFolder],
    stored_training_features: Partitions[Embeddings],
    object_classifier: FrameClassifier,
    workers: WorkerOptions,
    seed: int,
) -> Iterator[PartitionUpdates]:
    """Embed the training images and augmented views of them with the frozen network.

    Yields:
        The embeddings of one video or photo at a time: float32, shape (images, views, features).
    """
    planned = {
        key: Planned(
            fingerprint(AUGMENTATION_VERSION, stored.record.fingerprint, object_classifier.digest, seed),
            (stored.load(), int(fingerprint(key, seed), base=16)),
            stored.record.details,
        )
        for key, stored in training_images.usable().items()
    }
    embed = partial(_embed_views, classifier=object_classifier)
    workers = workers_for(object_classifier, workers)
    yield from bring_up_to_date(planned, stored_training_features, embed, workers, "Embedding images")


def embed_video_frames(
    frames: Partitions[FrameFolder],
    stored_frame_features: Partitions[Embeddings],
    object_classifier: FrameClassifier,
    workers: WorkerOptions,
) -> Iterator[PartitionUpdates]:
    """Embed all frames with the frozen network, so that a new head classifies them without running it again.

    Yields:
        The embeddings of one video's frames at a time: float32, shape (frames, features).
    """
    planned = {
        video_id: Planned(
            fingerprint(AUGMENTATION_VERSION, stored.record.fingerprint, object_classifier.digest),
            stored.load(),
        )
        for video_id, stored in frames.usable().items()
    }
    embed = partial(_embed_frames, classifier=object_classifier)
    workers = workers_for(object_classifier, workers)
    yield from bring_up_to_date(planned, stored_frame_features, embed, workers, "Embedding frames")


def build_object_network(detection_options: DetectionOptions) -> KerasModel:
    """Build the network of the detection stage in Keras."""
    return build_network(detection_options.network)


def train_heads(
    training_features: Partitions[Embeddings],
    object_network: KerasModel,
    options: TransferLearningOptions,
    seed: int,
) -> CrossFittedHeads:
    """Train a head per fold without the groups of that fold, and one on all images.

    Raises:
        ValueError: if too few images could be read.
    """
    training_set = gather_training_set(training_features)
    check_classes(training_set.images["class_name"], options.min_images)
    projection = ObjectSpaceProjection.from_network(object_network) if options.features == "objects" else None
    return cross_fit(training_set, options, seed, projection)


def list_image_predictions(finetuned_heads: CrossFittedHeads) -> DataFrame[TrainingImagePredictions]:
    """List the out-of-fold prediction of each training image, least probable label first, to find wrong labels."""
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
    """Attach the final head to the network."""
    return attach_head(object_network, finetuned_heads.final)


def convert_finetuned_classifier(finetuned_network: KerasModel, finetuned_heads: CrossFittedHeads) -> LiteRTClassifier:
    """Convert the network with the final head to LiteRT."""
    return convert_classifier(finetuned_network, finetuned_network.name, finetuned_heads.final.output_names)


def list_finetuned_classes(finetuned_heads: CrossFittedHeads) -> dict[str, int]:
    """Map each class to the index of its output, from 0."""
    return {name: number for number, name in enumerate(finetuned_heads.final.output_names)}


def extract_finetuned_class_embeddings(finetuned_heads: CrossFittedHeads) -> DataFrame[ClassEmbeddings]:
    """Extract the class weights of the final head."""
    return finetuned_heads.final.class_embeddings()


def detect_finetuned_objects(
    frame_features: Partitions[Embeddings],
    corpus: DataFrame[Corpus],
    finetuned_heads: CrossFittedHeads,
    stored_finetuned_detections: Partitions[DataFrame[Detections]],
    stored_finetuned_class_scores: Partitions[DataFrame[ClassScores]],
    workers: WorkerOptions,
) -> Iterator[tuple[PartitionUpdates, ...]]:
    """Classify each frame with a head that was trained neither on its video nor on others of its group.

    The final head classifies videos on which no head was trained.

    Yields:
        One video's detections and class scores at a time.
    """
    folds = finetuned_heads.folds_of(_group_folders_of_videos(corpus))
    planned = {}
    for video_id, stored in frame_features.usable().items():
        fold = int(folds.get(video_id, 0))
        head = finetuned_heads.head_of(fold)
        planned[video_id] = Planned(
            fingerprint(DETECTION_VERSION, stored.record.fingerprint, head.digest),
            (stored, video_id, fold),
            {"fold": fold},
        )
    parts = [
        Part(stored_finetuned_detections, attrgetter("detections")),
        Part(stored_finetuned_class_scores, attrgetter("class_scores")),
    ]
    classify = partial(_classify, heads=finetuned_heads)
    yield from bring_parts_up_to_date(planned, parts, classify, workers, "Classifying frames")


def gather_finetuned_class_scores(
    finetuned_class_scores: Partitions[DataFrame[ClassScores]],
) -> DataFrame[ClassScoreTable]:
    """Concatenate the class scores of all videos."""
    return ClassScoreTable.validate(finetuned_class_scores.usable().table(list(ClassScoreTable.to_schema().columns)))


def measure_transfer_learning(
    finetuned_heads: CrossFittedHeads,
    detections: Partitions[DataFrame[Detections]],
    class_score_table: DataFrame[ClassScoreTable],
    class_embeddings: DataFrame[ClassEmbeddings],
    finetuned_detections: Partitions[DataFrame[Detections]],
    finetuned_class_score_table: DataFrame[ClassScoreTable],
    finetuned_class_embeddings: DataFrame[ClassEmbeddings],
    corpus: DataFrame[Corpus],
    features: FeatureOptions,
    classification: ClassificationOptions,
    recommendation: RecommendationOptions,
) -> dict[str, float]:
    """Evaluate the heads on held-out images, and compare them with the 1,000-class network on the same videos.

    Returns:
        The figures of `measure_heads`; `other_share` of the corpus's frames; and, with the prefixes `object_detector_`
        and `finetuned_`, the figures of `judge_detector`. What cannot be measured is missing.
    """
    compared = {
        "object_detector": SeenObjects(detections, class_score_table, class_embeddings),
        "finetuned": SeenObjects(finetuned_detections, finetuned_class_score_table, finetuned_class_embeddings),
    }
    # Neither measures areas, so they are compared by confidence if the segmenter is selected.
    importance = "confidence_share" if features.importance == "area" else features.importance
    comparable = features.model_copy(update={"importance": importance})
    comparison = {
        f"{detector}_{name}": value
        for detector, objects in compared.items()
        for name, value in judge_detector(objects, corpus, comparable, classification, recommendation).items()
    }
    names = pd.concat([stored.load()["class_name"] for stored in finetuned_detections.usable().values()])
    return {
        **measure_heads(finetuned_heads),
        "other_share": float((names == OTHER).mean()),
        "n_images": len(finetuned_heads.images),
        "n_classes": len(finetuned_heads.final.class_names),
        "n_folds": len(finetuned_heads.by_fold),
        **comparison,
    }


def draw_learning_curves(finetuned_heads: CrossFittedHeads) -> go.Figure:
    """Draw loss and accuracy of the heads by epoch."""
    return learning_curve_figure(finetuned_heads.history)


def draw_finetuned_confusion_matrix(training_image_predictions: DataFrame[TrainingImagePredictions]) -> go.Figure:
    """Draw the confusion matrix of held-out images."""
    renamed = training_image_predictions.rename(
        columns={"image": "video_id", "class_name": "category", "predicted_class": "predicted_category"}
    )
    columns = list(CategoryPredictions.to_schema().columns)
    return confusion_figure(CategoryPredictions.validate(renamed[columns]), of="images", label="class")


def _list_video_frames(
    frames: Partitions[FrameFolder],
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    corpus: DataFrame[Corpus],
    options: TransferLearningOptions,
) -> list[ImageSource]:
    labelled = labelled_corpus(corpus)
    hashes, folders = frame_hashes.usable(), _group_folders_of_videos(corpus)
    selected: dict[str, list[int]] = {}
    for video_id in labelled.index.intersection(list(frames.usable())):
        if video_id in hashes:
            table = hashes[video_id].load()
            selected[video_id] = select_distinct_frames(
                table["frame"].to_numpy(np.int64), table["zoom_100"].to_numpy(np.uint64), options.frames_per_video
            )
    sources = []
    for video_id, numbers in balance_classes(selected, labelled["class_name"]).items():
        category, slug = video_id.split("/")
        sources.append(
            ImageSource(
                key=f"{category}/{folders[video_id]}/{slug}",
                class_name=str(labelled.loc[video_id, "class_name"]),
                group=str(folders[video_id]),
                source=video_id,
                digest=fingerprint(frames[video_id].record.fingerprint, numbers),
                images=len(numbers),
                reader=SelectedFrames(frames[video_id].load(), tuple(numbers)),
            )
        )
    return sources


def _group_folders_of_videos(corpus: DataFrame[Corpus]) -> pd.Series:
    groups = corpus.set_index("video_id")["group"]
    return groups.map(group_folders(groups.tolist()))


def _read(reader: ImageReader) -> Made[EncodedFrames]:
    return Made(reader.read())


def _embed_views(task: tuple[FrameFolder, int], classifier: FrameClassifier) -> Made[Embeddings]:
    folder, seed = task
    return Made(embed_views(folder, classifier, seed))


def _embed_frames(folder: FrameFolder, classifier: FrameClassifier) -> Made[Embeddings]:
    return Made(embed_frames(folder, classifier))


def _classify(task: tuple[StoredPartition[Embeddings], str, int], heads: CrossFittedHeads) -> Made[VideoDetections]:
    stored, video_id, fold = task
    classified = classify_embeddings(stored.load(), heads.head_of(fold), video_id)
    return Made(classified, {"frames": len(classified.detections)})
