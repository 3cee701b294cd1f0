"""Fixtures of the tests of ingestion."""

from web_fixtures import clips, short_pauses, web

__all__ = ["clips", "short_pauses", "web"]
