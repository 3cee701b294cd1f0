"""Two-dimensional projection of object space."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.similarity.object_space import project_to_map


def clustered_points(videos: int) -> pd.DataFrame:
    """Draw points in three clusters of directions, with random lengths."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(3, 64))
    kinds = np.arange(videos) % 3
    points = centres[kinds] + 0.5 * random.normal(size=(videos, 64))
    points *= random.uniform(0.2, 5, size=(videos, 1))
    return pd.DataFrame(points, index=pd.Index([f"{kind}/{n}" for n, kind in enumerate(kinds)], name="video_id"))


def test_videos_that_are_close_in_space_are_close_on_the_map() -> None:
    points = clustered_points(60)

    positions = project_to_map(points)

    assert positions.index.equals(points.index)
    distances = np.linalg.norm(positions.to_numpy()[:, np.newaxis] - positions.to_numpy(), axis=2)
    np.fill_diagonal(distances, np.inf)
    kinds = points.index.str[0]
    assert (kinds[distances.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize("videos", [4, 7])
def test_a_corpus_of_a_few_videos_has_a_map(videos: int) -> None:
    positions = project_to_map(clustered_points(videos))

    assert np.isfinite(positions.to_numpy()).all()
    assert len(positions.drop_duplicates()) == videos


def test_a_video_without_objects_is_on_the_map() -> None:
    points = clustered_points(12)
    points.iloc[5] = 0

    assert np.isfinite(project_to_map(points).to_numpy()).all()


def test_the_same_seed_gives_the_same_map() -> None:
    pd.testing.assert_frame_equal(
        project_to_map(clustered_points(12), seed=4), project_to_map(clustered_points(12), seed=4)
    )


def test_a_map_of_fewer_than_four_videos_raises_an_error() -> None:
    with pytest.raises(ValueError, match="A map needs at least 4 videos, but there are 3: add more"):
        project_to_map(clustered_points(3))
