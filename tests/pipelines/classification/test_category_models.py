"""The models that may learn to name a video's category."""

import pickle
import warnings
from collections.abc import Callable

import pandas as pd
import pytest

from video_recommender.pipelines.classification.category_models import (
    can_learn,
    fit_category_model,
    name_categories,
)

Corpus = tuple[pd.DataFrame, pd.DataFrame]
CANDIDATES = ["nearest_neighbours", "logistic_regression", "linear_svm", "random_forest"]


@pytest.mark.parametrize("name", CANDIDATES)
def test_each_candidate_names_categories_with_probabilities(make_corpus: Callable[..., Corpus], name: str) -> None:
    points, manifest = make_corpus({"food": [3], "pets": [3], "rooms": [3]}, noise=0.05)

    model = pickle.loads(pickle.dumps(fit_category_model(name, points, manifest["category"], seed=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictions = name_categories(model, points)

    assert predictions["predicted_category"].tolist() == manifest["category"].tolist()
    assert predictions["probability"].between(1 / 3, 1).all()
    assert list(model.classes_) == ["food", "pets", "rooms"]


@pytest.mark.parametrize("name", CANDIDATES)
def test_two_videos_of_two_categories_are_enough_or_the_candidate_says_so(
    make_corpus: Callable[..., Corpus], name: str
) -> None:
    points, manifest = make_corpus({"food": [1], "pets": [1]})

    if can_learn(name, manifest["category"]):
        model = fit_category_model(name, points, manifest["category"], seed=0)
        assert name_categories(model, points)["predicted_category"].tolist() == ["food", "pets"]
    else:
        with pytest.raises(ValueError, match=f"{name} needs two videos of every category"):
            fit_category_model(name, points, manifest["category"], seed=0)


def test_a_model_refuses_points_of_another_space(make_corpus: Callable[..., Corpus]) -> None:
    points, manifest = make_corpus({"food": [2], "pets": [2]})
    model = fit_category_model("logistic_regression", points, manifest["category"], seed=0)

    with pytest.raises(ValueError, match="feature names"):
        name_categories(model, points.add_prefix("other_"))
