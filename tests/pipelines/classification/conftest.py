from collections.abc import Callable

import pytest
from example_points import Corpus, corpus_of, three_categories


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    return corpus_of


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return three_categories()
