"""The report, contact sheets, the model card, and answers for new videos."""
