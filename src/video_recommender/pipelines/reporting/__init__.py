"""Write the report and the model card."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
