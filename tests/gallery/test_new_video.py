"""Analysis of a new video with the segmenter."""

import pandas as pd
import pytest
from coloured_images import ColourDetector, segmenter_of
from coloured_videos import write_video
from sklearn.linear_model import LogisticRegression

from video_recommender.gallery.new_video import UploadRejectedError
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.networks.object_segmenter import segment_video
from video_recommender.similarity.importance import scores_from_class_scores
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.recommender import VideoRecommender


@pytest.fixture
def segmented_store(store, video_files):
    """The results of a segmenter that detects tomatoes as cats and limes as dogs."""
    segmenter, detector = segmenter_of(), ColourDetector()
    frames = {name: sample_frames(VideoFile(path), PreprocessingOptions()).frames for name, path in video_files.items()}
    segmented = {name: segment_video(images, segmenter) for name, images in frames.items()}
    classes = pd.Index(["person", "cat", "dog"], name="class_name")
    ids = pd.Index(sorted(video_files), name="video_id", dtype=str)
    seen = (one.segmentation_scores.assign(video_id=name) for name, one in segmented.items())
    scores = scores_from_class_scores(seen, pd.Index(segmented, dtype=str), classes, has_areas=True)
    embeddings = pd.DataFrame(detector.class_embeddings, classes, list("abc"))
    space = ObjectSpace(FeatureOptions(detector="segmenter")).fit(scores, embeddings)
    features = space.importances(scores)
    points = space.transform(features)
    store.save("object_segmenter", segmenter)
    store.save("object_space", space)
    store.save("video_features", features)
    store.save("video_points", points)
    store.save("recommender", VideoRecommender().fit(points))
    store.save("category_classifier", LogisticRegression().fit(points, [name.split("/")[0] for name in ids]))
    return store


def test_a_new_video_is_segmented_if_the_corpus_was(segmented_store, analyst, tmp_path) -> None:
    details = analyst.analyse(write_video(tmp_path / "new.mp4", "tomato", "lime"))

    assert {seen.name for seen in details.timeline.objects} == {"cat", "dog"}
    assert len(details.neighbours) == 10


def test_a_missing_segmenter_shows_the_command_that_creates_it(segmented_store, analyst) -> None:
    segmented_store.delete("object_segmenter")

    assert analyst.missing_models().command == "kedro run --pipelines=segmentation"


def test_a_video_without_decodable_frames_is_rejected(analyst, video_files, tmp_path) -> None:
    content = bytearray(video_files["views/clip-00"].read_bytes())
    media = content.index(b"mdat") + 4
    content[media : media + 2000] = bytes(len(content[media : media + 2000]))
    (tmp_path / "hollow").write_bytes(content)

    with pytest.raises(UploadRejectedError):
        analyst.analyse(tmp_path / "hollow")
