"""Tables of the preprocessing stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import StageManifest


class FrameManifest(StageManifest):
    """Status, number and times of the frames, one row per usable video."""

    shots: Series[pd.Int64Dtype] = pa.Field(
        nullable=True, ge=1, description="number of shots; missing if frames are sampled at a fixed rate"
    )
    shot_numbers: Series[str] = pa.Field(
        description="shot of each frame, from 1, comma-separated; empty at a fixed rate"
    )
    times_s: Series[str] = pa.Field(
        description="time of each frame, seconds after the first frame, comma-separated; empty at a fixed rate"
    )
