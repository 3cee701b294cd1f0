"""Write the report, the model card and the contact sheets."""

from .pipeline import create_pipeline as create_pipeline
