"""Collect the videos of the source and create their manifest."""

from .pipeline import create_pipeline as create_pipeline
