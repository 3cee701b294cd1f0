"""Fixtures of the tests of sources."""

from web_fixtures import clips, downloads, large_clip, long_clip, short_pauses, web

__all__ = ["clips", "downloads", "large_clip", "long_clip", "short_pauses", "web"]
