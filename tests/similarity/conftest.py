from collections.abc import Callable

import pandas as pd
import pytest
from example_points import Corpus, corpus_of, small_class_embeddings
from photo_videos import COPIES, Camera, Clip


@pytest.fixture(scope="session")
def class_embeddings() -> pd.DataFrame:
    return small_class_embeddings()


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    return corpus_of


@pytest.fixture(scope="session")
def camera() -> Camera:
    return Camera()


@pytest.fixture(params=COPIES)
def make_copy(request: pytest.FixtureRequest) -> Callable[[Clip], Clip]:
    return COPIES[request.param]
