from reported_corpus import category_predictions, corpus, frames, recommendations

__all__ = ["category_predictions", "corpus", "frames", "recommendations"]
