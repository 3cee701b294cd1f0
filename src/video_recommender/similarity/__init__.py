"""Importance, object space, nearest-neighbour search, duplicates, category models and ranking metrics."""
