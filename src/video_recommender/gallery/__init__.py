"""Local web pages that show the corpus, the results for each video, and the analysis of new videos."""
