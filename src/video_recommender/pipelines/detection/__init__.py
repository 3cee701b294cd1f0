"""Classify every frame of each video."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
