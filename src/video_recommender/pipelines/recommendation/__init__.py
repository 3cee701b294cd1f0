"""Name the ten videos nearest to each video."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
