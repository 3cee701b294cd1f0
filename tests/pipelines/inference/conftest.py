from coloured_corpus import films, made

__all__ = ["films", "made"]
