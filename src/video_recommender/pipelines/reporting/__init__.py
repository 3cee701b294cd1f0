"""Report, model card and contact sheets."""

from .pipeline import create_pipeline as create_pipeline
