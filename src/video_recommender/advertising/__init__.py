"""Viewers, ads and the agents that select ads: the simulated environment, training and evaluation."""
