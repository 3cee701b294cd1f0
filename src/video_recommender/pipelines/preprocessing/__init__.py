"""Cut each video into frames of one size and rate."""

from .pipeline import create_pipeline as create_pipeline
