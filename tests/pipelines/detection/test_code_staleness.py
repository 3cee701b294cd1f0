"""A change in the code of a network makes the results of the nodes that run it stale."""

import ast
import shutil
from pathlib import Path

import pytest

import video_recommender
from video_recommender.incremental.code_digest import clear_cache, code_digest
from video_recommender.pipelines.detection.nodes import detect_objects
from video_recommender.pipelines.inference.nodes import answer_for_new_videos
from video_recommender.pipelines.segmentation.nodes import segment_objects
from video_recommender.pipelines.transfer_learning.nodes import embed_training_images, embed_video_frames

FRAME_CLASSIFIER, COCO_DETECTOR, SAVED_DETECTOR = "frame_classifier", "coco_detector", "saved_detector"


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Return a function that adds a statement to a copy of the sources, from which digests are computed."""
    copy = tmp_path / "video_recommender"
    shutil.copytree(Path(video_recommender.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(video_recommender, "__path__", [str(copy)])
    clear_cache()

    def add_statement(module, *path):
        file = copy / "networks" / f"{module}.py"
        tree = node = ast.parse(file.read_text())
        for name in path:
            node = next(part for part in node.body if getattr(part, "name", None) == name)
        node.body.append(ast.parse("edited = True").body[0])
        file.write_text(ast.unparse(tree))
        clear_cache()

    yield add_statement
    clear_cache()


@pytest.mark.parametrize(
    ("node", "module", "path"),
    [
        (detect_objects, FRAME_CLASSIFIER, ("LiteRTClassifier", "predict")),
        (detect_objects, FRAME_CLASSIFIER, ("KerasClassifier", "predict")),
        (detect_objects, FRAME_CLASSIFIER, ("resize_frames",)),
        (embed_training_images, FRAME_CLASSIFIER, ("LiteRTClassifier", "predict")),
        (embed_video_frames, FRAME_CLASSIFIER, ("LiteRTClassifier", "predict")),
        (answer_for_new_videos, FRAME_CLASSIFIER, ("LiteRTClassifier", "predict")),
        (segment_objects, COCO_DETECTOR, ("LiteRTDetector", "detect")),
        (segment_objects, COCO_DETECTOR, ("select_objects",)),
        (segment_objects, SAVED_DETECTOR, ("SavedDetector", "detect")),
    ],
)
def test_a_changed_network_makes_the_nodes_that_run_it_stale(node, module, path, edit):
    before = code_digest(node)

    edit(module, *path)

    assert code_digest(node) != before


def test_a_changed_detector_does_not_make_classifications_stale(edit):
    before = code_digest(detect_objects)

    edit(COCO_DETECTOR, "LiteRTDetector", "detect")

    assert code_digest(detect_objects) == before
