"""Report, model card and contact sheets."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
