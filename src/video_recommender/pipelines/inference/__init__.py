"""Answers for new videos, without changing the corpus."""

from .pipeline import create_pipeline as create_pipeline
