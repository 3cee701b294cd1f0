"""Videos in plain colours."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COLOURS = {"tomato": (200, 20, 20), "lime": (20, 200, 20), "sky": (20, 20, 200)}
RATE = 12


def write_video(place: Path, *names: str, seconds: float = 1.0) -> Path:
    """Write a video that shows each colour in turn for a number of seconds."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(place), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuv420p"
        for name in names:
            image = np.full((64, 96, 3), COLOURS[name], np.uint8)
            for _ in range(round(RATE * seconds)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return place
