"""The report page, contact sheets, the model card and answers for new videos."""
