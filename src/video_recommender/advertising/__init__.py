"""Ads, simulated viewers, and agents that select ads: environment, training and evaluation."""
