"""Find the videos and describe each."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
