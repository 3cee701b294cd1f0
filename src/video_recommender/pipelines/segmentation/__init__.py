"""Find the objects of each video and measure their areas."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
