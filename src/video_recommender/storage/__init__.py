"""Paths, digests and atomic writes, on a local disk and on an object store."""
