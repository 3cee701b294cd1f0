"""What became of each video in a stage that works on frames."""

from typing import Any

import pandas as pd

from video_recommender.incremental.partitions import Partitions, records_table


def tell_of_videos(made: Partitions[Any], frame_manifest: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """List every video with what became of it; one whose frames failed keeps the reason why.

    Args:
        made: what the stage has made; the records tell in how many `frames`.
        frame_manifest: what became of each video's frames.
        columns: which to give.

    Returns:
        A row per video, in order of `video_id`.
    """
    failed = frame_manifest.loc[frame_manifest["status"] != "ok", columns]
    tried = records_table(made, columns).fillna({"frames": 0})
    return pd.concat([tried, failed]).sort_values("video_id", ignore_index=True)
