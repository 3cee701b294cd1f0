"""Recommend the ten most similar videos for each video."""

from .pipeline import create_pipeline as create_pipeline
