"""Sample square frames from each video."""

from .pipeline import create_pipeline as create_pipeline
