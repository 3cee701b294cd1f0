"""Compute the importance of objects in each video, and its point in object space."""

from .pipeline import create_pipeline as create_pipeline
