"""Object space flattened to a map."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.similarity.object_space import project_to_map


def clouds(videos: int) -> pd.DataFrame:
    """Videos of any length that point in one of three directions, more or less."""
    random = np.random.default_rng(3)
    middles = random.normal(size=(3, 64))
    kinds = np.arange(videos) % 3
    points = middles[kinds] + 0.5 * random.normal(size=(videos, 64))
    points *= random.uniform(0.2, 5, size=(videos, 1))
    return pd.DataFrame(points, index=pd.Index([f"{kind}/{n}" for n, kind in enumerate(kinds)], name="video_id"))


def test_videos_that_are_near_in_space_are_near_on_the_map() -> None:
    points = clouds(60)

    places = project_to_map(points)

    assert places.index.equals(points.index)
    distances = np.linalg.norm(places.to_numpy()[:, np.newaxis] - places.to_numpy(), axis=2)
    np.fill_diagonal(distances, np.inf)
    kinds = points.index.str[0]
    assert (kinds[distances.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize("videos", [4, 7])
def test_a_corpus_of_a_few_videos_has_a_map_too(videos: int) -> None:
    places = project_to_map(clouds(videos))

    assert np.isfinite(places.to_numpy()).all()
    assert len(places.drop_duplicates()) == videos


def test_a_video_without_objects_is_on_the_map() -> None:
    points = clouds(12)
    points.iloc[5] = 0

    assert np.isfinite(project_to_map(points).to_numpy()).all()


def test_the_same_seed_gives_the_same_map() -> None:
    pd.testing.assert_frame_equal(project_to_map(clouds(12), seed=4), project_to_map(clouds(12), seed=4))


def test_fewer_than_four_videos_make_no_map() -> None:
    with pytest.raises(ValueError, match="A map needs at least 4 videos, but there are 3: add more"):
        project_to_map(clouds(3))
