"""Manifest of a stage that works on frames."""

from typing import Any

import pandas as pd

from video_recommender.incremental.partitions import Partitions, records_table


def build_manifest(outputs: Partitions[Any], frame_manifest: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """List every video with its status; videos without frames keep status and error of the frame manifest.

    Returns:
        A row per video with the given columns, sorted by `video_id`.
    """
    failed = frame_manifest.loc[frame_manifest["status"] != "ok", columns]
    processed = records_table(outputs, columns).fillna({"frames": 0})
    return pd.concat([processed, failed]).sort_values("video_id", ignore_index=True)
