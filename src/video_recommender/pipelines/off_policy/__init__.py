"""Evaluate ad policies from a log of sessions."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
