"""Wiring of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import collect_videos, describe_videos, download_videos, summarise_downloads


def create_pipeline() -> Pipeline:
    """A source of videos in; videos, and a manifest that describes each, out."""
    return Pipeline(
        [
            Node(
                download_videos,
                inputs=["web_access", "stored_downloads", "params:ingestion", "params:seed"],
                outputs="downloads",
                name="download_videos",
                tags="per_video",
            ),
            Node(
                summarise_downloads,
                inputs=["downloads", "params:ingestion"],
                outputs="download_report",
                name="summarise_downloads",
            ),
            Node(
                collect_videos,
                inputs=[
                    "demo_photos",
                    "downloads",
                    "stored_videos",
                    "params:ingestion",
                    "params:seed",
                    "params:workers",
                ],
                outputs="videos",
                name="collect_videos",
                tags="per_video",
            ),
            Node(describe_videos, inputs="videos", outputs="video_manifest", name="describe_videos"),
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
        tags="ingestion",
    )
