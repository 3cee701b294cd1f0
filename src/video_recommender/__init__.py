"""Videos become points in a space of objects; from there, categories, recommendations and ads."""

__version__ = "0.1.0"
