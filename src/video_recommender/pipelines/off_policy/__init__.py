"""Evaluate ad policies from a log of sessions."""

from .pipeline import create_pipeline as create_pipeline
