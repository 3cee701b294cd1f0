"""Recommend the nearest videos in object space for each video."""

from .pipeline import create_pipeline as create_pipeline
