"""Sources of videos: folders, the web, and clips rendered from photos."""
