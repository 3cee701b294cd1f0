"""Wiring of the stage."""

from kedro.pipeline import Pipeline


def create_pipeline() -> Pipeline:
    """Recommendations and a table of ads in; a policy that names the ad, and how much it earns, out."""
    return Pipeline([])
