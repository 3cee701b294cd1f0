"""Videos become points in a space where like objects lie near each other; from there, categories and more."""

__version__ = "0.1.0"
