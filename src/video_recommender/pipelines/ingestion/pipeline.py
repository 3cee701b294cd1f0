"""Pipeline of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from video_recommender.incremental import accumulate, per_partition

from .nodes import collect_video, describe_videos, download_videos, list_videos, summarise_downloads


def create_pipeline() -> Pipeline:
    """Create the pipeline from a source to `videos` and `video_manifest`."""
    return Pipeline(
        [
            accumulate(
                download_videos,
                inputs=["web_access", "params:ingestion", "params:seed"],
                outputs="downloads",
                name="download_videos",
            ),
            Node(
                summarise_downloads,
                inputs=["downloads", "params:ingestion"],
                outputs="download_report",
                name="summarise_downloads",
            ),
            Node(
                list_videos,
                inputs=["demo_photos", "downloads", "params:ingestion", "params:seed"],
                outputs="source_videos",
                name="list_videos",
            ),
            per_partition(collect_video, inputs="source_videos", outputs="videos", name="collect_video"),
            Node(describe_videos, inputs="videos", outputs="video_manifest", name="describe_videos"),
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
        tags="ingestion",
    )
