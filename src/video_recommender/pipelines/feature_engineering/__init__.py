"""Turn the objects of each video into a point in object space."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
