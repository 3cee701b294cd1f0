"""Wiring of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import collect_videos, describe_videos


def create_pipeline() -> Pipeline:
    """A source of videos in; videos, and a manifest that describes each, out."""
    return Pipeline(
        [
            Node(
                collect_videos,
                inputs=["demo_photos", "stored_videos", "params:ingestion", "params:seed", "params:workers"],
                outputs="videos",
                name="collect_videos",
                tags="per_video",
            ),
            Node(describe_videos, inputs="videos", outputs="video_manifest", name="describe_videos"),
        ],
        tags="ingestion",
    )
