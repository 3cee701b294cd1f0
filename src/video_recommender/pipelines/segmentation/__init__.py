"""Detect the objects in each video and measure their areas."""

from .pipeline import create_pipeline as create_pipeline
