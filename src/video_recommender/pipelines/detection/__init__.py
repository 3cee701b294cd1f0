"""Classify every frame of each video."""

from .pipeline import create_pipeline as create_pipeline
