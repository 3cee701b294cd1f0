"""Tables of the preprocessing stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import StageManifest


class FrameManifest(StageManifest):
    """One row per usable video: status and number of its frames."""

    shots: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1, description="number of shots, if sampled by shots")
    shot_numbers: Series[str] = pa.Field(description="shot of each frame, from 1, comma-separated, if sampled by shots")
    times_s: Series[str] = pa.Field(
        description="seconds between the first frame of the video and each frame, comma-separated, if sampled by shots"
    )
