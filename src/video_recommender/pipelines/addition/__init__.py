"""Add new videos to a finished corpus, with the models as they are."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline


def create_pipeline() -> "Pipeline":
    """Wire the stage; imported only here, so that the stage's domain code can be used without Kedro."""
    from .pipeline import create_pipeline as create

    return create()
