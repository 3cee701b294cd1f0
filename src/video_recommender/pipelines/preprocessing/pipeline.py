"""Wiring of the preprocessing stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import extract_frames, summarise_frames


def create_pipeline() -> Pipeline:
    """Videos in; frames, and a manifest of what became of each video, out."""
    return Pipeline(
        [
            Node(
                extract_frames,
                inputs=["videos", "video_manifest", "stored_frames", "params:preprocessing", "params:workers"],
                outputs="frames",
                name="extract_frames",
                tags="per_video",
            ),
            Node(summarise_frames, inputs="frames", outputs="frame_manifest", name="summarise_frames"),
        ],
        namespace="preprocessing",
        prefix_datasets_with_namespace=False,
        tags="preprocessing",
    )
