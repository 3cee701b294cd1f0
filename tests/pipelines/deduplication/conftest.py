from collections.abc import Callable

import pytest
from photo_films import COPIES, Film, Filming


@pytest.fixture(scope="session")
def filming() -> Filming:
    return Filming()


@pytest.fixture(params=COPIES)
def make_copy(request: pytest.FixtureRequest) -> Callable[[Film], Film]:
    return COPIES[request.param]
