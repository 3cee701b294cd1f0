"""Recommends videos and ads from the objects that appear in the videos."""

__version__ = "0.1.0"
