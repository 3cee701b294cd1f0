"""Pipeline of the preprocessing stage."""

from kedro.pipeline import Node, Pipeline

from video_recommender.incremental import per_partition

from .nodes import extract_frames, select_usable_videos, summarise_frames


def create_pipeline() -> Pipeline:
    """Create the pipeline from `videos` to `frames` and `frame_manifest`."""
    return Pipeline(
        [
            Node(
                select_usable_videos,
                inputs=["videos", "video_manifest"],
                outputs="usable_videos",
                name="select_usable_videos",
            ),
            per_partition(
                extract_frames,
                inputs=["usable_videos", "params:preprocessing"],
                outputs="frames",
                name="extract_frames",
            ),
            Node(summarise_frames, inputs="frames", outputs="frame_manifest", name="summarise_frames"),
        ],
        namespace="preprocessing",
        prefix_datasets_with_namespace=False,
        tags="preprocessing",
    )
