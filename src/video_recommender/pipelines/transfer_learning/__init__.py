"""Train a classification head for your own classes on a frozen network."""

from .pipeline import create_pipeline as create_pipeline
