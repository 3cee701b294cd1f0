"""Find near-duplicate videos and select the corpus."""

from .pipeline import create_pipeline as create_pipeline
