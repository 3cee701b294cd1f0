"""Answers for new videos, without changing the corpus."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
