from collections.abc import Callable

import pytest
from photo_videos import COPIES, Camera, Clip


@pytest.fixture(scope="session")
def camera() -> Camera:
    return Camera()


@pytest.fixture(params=COPIES)
def make_copy(request: pytest.FixtureRequest) -> Callable[[Clip], Clip]:
    return COPIES[request.param]
