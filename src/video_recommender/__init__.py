"""Recommends videos and ads based on the objects that appear in the videos."""

__version__ = "0.1.0"
