"""Predict the category of each video from its point in object space."""

from .pipeline import create_pipeline as create_pipeline
