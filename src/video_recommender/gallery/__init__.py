"""A local web page that shows the corpus, the results for each video, and the same for new videos."""
