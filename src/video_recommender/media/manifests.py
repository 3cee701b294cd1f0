"""The manifest of a stage that works on frames."""

import pandas as pd


def build_manifest(states: pd.DataFrame, frame_manifest: pd.DataFrame) -> pd.DataFrame:
    """Tabulate what became of each video; a video without frames keeps the reason why.

    Args:
        states: a row per video that the stage has processed, with the columns of its manifest.
        frame_manifest: a row per video with its frames' status.

    Returns:
        A row per video, in order of `video_id`.
    """
    failed = frame_manifest.loc[frame_manifest["status"] != "ok", states.columns]
    return pd.concat([states.fillna({"frames": 0}), failed]).sort_values("video_id", ignore_index=True)
