"""Predict objects, category, neighbours and ad of new videos, without changing the corpus."""

from .pipeline import create_pipeline as create_pipeline
