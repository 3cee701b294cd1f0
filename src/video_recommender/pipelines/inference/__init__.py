"""Answer for one video that is not in the corpus."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
