"""Where videos come from: a folder, the web, or clips rendered from photos."""
