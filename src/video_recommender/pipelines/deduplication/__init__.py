"""Find near-duplicate videos and select the corpus."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
