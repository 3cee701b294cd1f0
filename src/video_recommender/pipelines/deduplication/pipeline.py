"""Pipeline of the deduplication stage."""

from kedro.pipeline import Node, Pipeline

from video_recommender.incremental import per_partition

from .nodes import find_near_duplicates, hash_frames, select_corpus


def create_pipeline() -> Pipeline:
    """Create the pipeline from `frames` to `near_duplicates` and `corpus`."""
    return Pipeline(
        [
            per_partition(hash_frames, inputs="frames", outputs="frame_hashes", name="hash_frames"),
            Node(
                find_near_duplicates,
                inputs=["frame_hashes", "frames", "video_manifest", "params:deduplication"],
                outputs="near_duplicates",
                name="find_near_duplicates",
            ),
            Node(
                select_corpus,
                inputs=["video_manifest", "near_duplicates", "params:deduplication"],
                outputs="corpus",
                name="select_corpus",
            ),
        ],
        namespace="deduplication",
        prefix_datasets_with_namespace=False,
        tags="deduplication",
    )
