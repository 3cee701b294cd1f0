"""Collect the videos of the source and describe each one."""

from .pipeline import create_pipeline as create_pipeline
