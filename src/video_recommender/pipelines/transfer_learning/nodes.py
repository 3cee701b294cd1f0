"""Train a classification head for a user's classes, evaluate it on held-out images, and classify frames with it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoError
from video_recommender.networks.classification_head import OTHER, ObjectSpaceProjection, attach_head
from video_recommender.networks.cross_fitting import CrossFittedHeads, cross_fit, gather_training_set, measure_heads
from video_recommender.networks.detections import DetectionOptions, batch_frames, summarise_predictions
from video_recommender.networks.frame_classifier import (
    Embeddings,
    FrameClassifier,
    LiteRTClassifier,
    convert_classifier,
)
from video_recommender.networks.head_training import learning_curve_figure
from video_recommender.networks.pretrained import KerasModel, build_network
from video_recommender.networks.training_images import (
    ImageSource,
    SelectedFrames,
    TransferLearningOptions,
    augment,
    balance_classes,
    check_classes,
    group_folders,
    list_image_folder,
    select_distinct_frames,
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
from video_recommender.similarity.evaluation import evaluate_detector, plot_confusion_matrix
from video_recommender.similarity.object_space import FeatureOptions, score_objects
from video_recommender.similarity.recommender import RecommendationOptions
from video_recommender.storage.digests import fingerprint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldOutVideo:
    """A video, the fold of the head that classifies it (0 means the final head), and the embeddings of its frames."""

    video_id: str
    fold: int
    load_features: Callable[[], Embeddings]
    digest: str


@dataclass(frozen=True)
class FinetunedDetections:
    """Detections by a head in one video. `properties` has the number of frames and the fold of the head."""

    detections: DataFrame[Detections]
    class_scores: DataFrame[ClassScores]
    properties: dict[str, int]


def list_training_sources(
    frames: Partitions[FrameFolder],
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    corpus: DataFrame[Corpus],
    options: TransferLearningOptions,
    preprocessing: PreprocessingOptions,
) -> dict[str, ImageSource]:
    """Return a mapping from keys to the photos of a folder, or to the distinct frames of videos, labelled by category.

    Photos are cropped to the size of frames (`preprocessing.size`).

    Raises:
        ValueError: if there are fewer than two classes, or a class has too few images.
    """
    if options.images is not None:
        sources = list_image_folder(options.images, preprocessing.size)
    else:
        sources = _list_video_frames(frames, frame_hashes, corpus, options.frames_per_video)
    labels = pd.Series([source.class_name for source in sources for _ in range(source.images)])
    check_classes(labels, options.min_images)
    return {source.key: source for source in sources}


def _list_video_frames(
    frames: Partitions[FrameFolder],
    frame_hashes: Partitions[DataFrame[FrameHashes]],
    corpus: DataFrame[Corpus],
    frames_per_video: int,
) -> list[ImageSource]:
    labels = corpus[corpus["is_used"]].set_index("video_id")["category"].dropna()
    folders = group_folders(corpus)
    selected: dict[str, list[int]] = {}
    for video_id in labels.index.intersection(list(frames)).intersection(list(frame_hashes)):
        hashes = frame_hashes.load(video_id)
        selected[video_id] = select_distinct_frames(
            hashes["frame"].to_numpy(np.int64), hashes["zoom_100"].to_numpy(np.uint64), frames_per_video
        )
    sources = []
    for video_id, numbers in balance_classes(selected, labels).items():
        category, slug = video_id.split("/")
        sources.append(
            ImageSource(
                key=f"{category}/{folders[video_id]}/{slug}",
                class_name=str(labels[video_id]),
                group=str(folders[video_id]),
                source=video_id,
                digest=fingerprint(frames.states[video_id].digest, numbers, str(labels[video_id])),
                images=len(numbers),
                reader=SelectedFrames(frames.load(video_id), tuple(numbers)),
            )
        )
    return sources


@depends_on("opencv-python-headless")
def read_training_images(source: ImageSource) -> EncodedFrames:
    """Read the images of a video or photo, or raise a `VideoError` if one is missing or unreadable."""
    return source.reader.read()


def list_skipped_images(training_images: Partitions[FrameFolder]) -> DataFrame[SkippedImages]:
    """List the images that cannot be read, with their errors."""
    rows = [
        {"image": state.properties.get("source", key), "status": state.status, "error": state.error}
        for key, state in training_images.states.items()
        if not state.is_ok
    ]
    if rows:
        logger.warning("%d images cannot be read and are skipped: see skipped_images", len(rows))
    return SkippedImages.validate(pd.DataFrame(rows, columns=list(SkippedImages.to_schema().columns)))


@depends_on("ai-edge-litert", "opencv-python-headless")
def embed_training_images(images: FrameFolder, classifier: FrameClassifier, seed: int) -> Embeddings:
    """Embed the training images of a video or photo and augmented views, float32, shape (images, views, features)."""
    return np.stack([classifier.predict(views).embeddings for views in augment(images.decode(), seed)])


@depends_on("ai-edge-litert", "opencv-python-headless")
def embed_video_frames(frames: FrameFolder, classifier: FrameClassifier) -> Embeddings:
    """Embed the frames of a video for all heads, float32, shape (frames, features)."""
    embeddings = [classifier.predict(batch).embeddings for batch in batch_frames(frames.images())]
    if not embeddings:
        raise VideoError("damaged", f"{frames.path} contains no frames: delete it and run preprocessing again")
    return np.concatenate(embeddings)


def build_object_network(detection_options: DetectionOptions) -> KerasModel:
    """Build the network of the detection stage for Keras."""
    return build_network(detection_options.network)


def train_heads(
    training_images: Partitions[FrameFolder],
    training_features: Partitions[Embeddings],
    object_network: KerasModel,
    options: TransferLearningOptions,
    seed: int,
) -> CrossFittedHeads:
    """Train one head per fold on the groups outside the fold, and a final head on all images.

    Raises:
        ValueError: if there are too few readable images.
    """
    properties = {key: state.properties for key, state in training_images.states.items()}
    training_set = gather_training_set(training_features, properties)
    check_classes(training_set.images["class_name"], options.min_images)
    projection = ObjectSpaceProjection.from_network(object_network) if options.features == "objects" else None
    return cross_fit(training_set, options, seed, projection)


def list_image_predictions(finetuned_heads: CrossFittedHeads) -> DataFrame[TrainingImagePredictions]:
    """List the out-of-fold prediction of each training image, least probable label first."""
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
    """Map each class to its zero-based output index."""
    return {name: number for number, name in enumerate(finetuned_heads.final.output_names)}


def extract_finetuned_class_embeddings(finetuned_heads: CrossFittedHeads) -> DataFrame[ClassEmbeddings]:
    """Return the output-layer weights of each class of the final head."""
    return finetuned_heads.final.class_embeddings()


def list_held_out_videos(
    frame_features: Partitions[Embeddings], corpus: DataFrame[Corpus], finetuned_heads: CrossFittedHeads
) -> dict[str, HeldOutVideo]:
    """Select, for each `video_id`, a head that was not trained on the group of the video.

    The final head is selected for videos of groups without training images.
    """
    folds = finetuned_heads.folds_of(group_folders(corpus))
    videos = {}
    for video_id, load in frame_features.items():
        fold = int(folds.get(video_id, 0))
        digest = fingerprint(frame_features.states[video_id].digest, fold)
        videos[video_id] = HeldOutVideo(video_id, fold, load, digest)
    return videos


def detect_finetuned_objects(video: HeldOutVideo, heads: CrossFittedHeads) -> FinetunedDetections:
    """Classify the frames of a video with a head that was not trained on the group of the video."""
    head = heads.head_of(video.fold)
    found = summarise_predictions([head.predict(video.load_features())], head.output_names, video.video_id)
    return FinetunedDetections(found.detections, found.class_scores, {**found.properties, "fold": video.fold})


def measure_transfer_learning(
    finetuned_heads: CrossFittedHeads,
    detections: Partitions[DataFrame[Detections]],
    class_scores: Partitions[DataFrame[ClassScores]],
    class_embeddings: DataFrame[ClassEmbeddings],
    finetuned_detections: Partitions[DataFrame[Detections]],
    finetuned_class_scores: Partitions[DataFrame[ClassScores]],
    finetuned_class_embeddings: DataFrame[ClassEmbeddings],
    corpus: DataFrame[Corpus],
    feature_options: FeatureOptions,
    classification: ClassificationOptions,
    recommendation: RecommendationOptions,
    seed: int,
) -> dict[str, float]:
    """Evaluate the heads on held-out images, and compare them with the 1,000-class network on the same videos.

    Returns:
        The metrics of `measure_heads`; `other_share`, the share of frames classified as `other`; the numbers of images,
        classes and folds; and the metrics of `evaluate_detector` with the prefixes `object_detector_` and `finetuned_`.
    """
    # Neither network measures areas, so confidence replaces area.
    importance = "confidence_share" if feature_options.importance == "area" else feature_options.importance
    comparable = feature_options.model_copy(update={"detector": "finetuned", "importance": importance})
    comparison: dict[str, float] = {}
    for detector, per_frame, per_class, embeddings in (
        ("object_detector", detections, class_scores, class_embeddings),
        ("finetuned", finetuned_detections, finetuned_class_scores, finetuned_class_embeddings),
    ):
        videos, classes = pd.Index(per_frame, dtype=str), pd.Index(embeddings.index)
        scores = score_objects(per_frame.blocks("video_id"), per_class.blocks("video_id"), videos, classes, comparable)
        metrics = evaluate_detector(scores, embeddings, corpus, comparable, classification, recommendation, seed)
        comparison |= {f"{detector}_{name}": value for name, value in metrics.items()}
    names = pd.concat([load()["class_name"] for load in finetuned_detections.values()])
    return {
        **measure_heads(finetuned_heads),
        "other_share": float((names == OTHER).mean()),
        "n_images": len(finetuned_heads.images),
        "n_classes": len(finetuned_heads.final.class_names),
        "n_folds": len(finetuned_heads.by_fold),
        **comparison,
    }


def draw_learning_curves(finetuned_heads: CrossFittedHeads) -> go.Figure:
    """Plot loss and accuracy of the heads by epoch."""
    return learning_curve_figure(finetuned_heads.history)


def draw_finetuned_confusion_matrix(training_image_predictions: DataFrame[TrainingImagePredictions]) -> go.Figure:
    """Plot the confusion matrix of held-out images."""
    renamed = training_image_predictions.rename(
        columns={"image": "video_id", "class_name": "category", "predicted_class": "predicted_category"}
    )
    columns = list(CategoryPredictions.to_schema().columns)
    return plot_confusion_matrix(CategoryPredictions.validate(renamed[columns]), items="images", label="class")
