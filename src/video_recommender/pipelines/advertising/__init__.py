"""Select an ad for each video with a reinforcement-learning agent."""

from .pipeline import create_pipeline as create_pipeline
