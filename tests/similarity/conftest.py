from collections.abc import Callable

import pandas as pd
import pytest
from example_points import Corpus, corpus_of, small_class_embeddings
from photo_films import COPIES, Film, Filming


@pytest.fixture(scope="session")
def class_embeddings() -> pd.DataFrame:
    return small_class_embeddings()


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    return corpus_of


@pytest.fixture(scope="session")
def filming() -> Filming:
    return Filming()


@pytest.fixture(params=COPIES)
def make_copy(request: pytest.FixtureRequest) -> Callable[[Film], Film]:
    return COPIES[request.param]
