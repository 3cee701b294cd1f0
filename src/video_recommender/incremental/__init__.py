"""Incremental runs: per-partition nodes, state, staleness, executors and the runner."""
