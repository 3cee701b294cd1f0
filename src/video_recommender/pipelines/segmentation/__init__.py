"""Find every object in the frames of each video, and how much of the picture each covers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline


def create_pipeline() -> "Pipeline":
    """Wire the stage; imported only here, so that the stage's domain code can be used without Kedro."""
    from .pipeline import create_pipeline as create

    return create()
