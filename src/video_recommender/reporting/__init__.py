"""The report, the model card, contact sheets, and results for new videos."""
