"""Compute the importance of objects in each video, and the point of the video in object space."""

from .pipeline import create_pipeline as create_pipeline
