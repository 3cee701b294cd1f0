"""Tables of the preprocessing stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import StageManifest


class FrameManifest(StageManifest):
    """One row per usable video: status and number of its frames."""

    shots: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    """Number of shots; this and the following columns are empty where frames are taken at a fixed rate."""
    shot_numbers: Series[str]
    """Shot of each frame, from 1, comma-separated."""
    times_s: Series[str]
    """Time of each frame, in seconds after the first frame of the video, comma-separated."""
