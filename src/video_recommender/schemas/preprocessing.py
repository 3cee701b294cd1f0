"""Tables of the preprocessing stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import StageManifest


class FrameManifest(StageManifest):
    """One row per usable video: what became of its frames."""

    shots: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    """How many shots the video has; this and what follows is empty where frames are taken at a fixed rate."""
    shot_numbers: Series[str]
    """The shot of each frame, from 1, comma-separated."""
    times_s: Series[str]
    """When each frame was taken, in seconds after the first picture, comma-separated."""
