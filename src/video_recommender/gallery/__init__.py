"""A web page on this machine that shows the corpus, what is known of each video, and the same of a new one."""
