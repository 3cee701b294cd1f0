"""Candidate models of the category classifier."""

import pickle
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from video_recommender.similarity import category_models
from video_recommender.similarity.category_models import (
    can_fit,
    fit_category_model,
    predict_with_probability,
)

Corpus = tuple[pd.DataFrame, pd.DataFrame]
CANDIDATES = ["nearest_neighbours", "logistic_regression", "linear_svm", "random_forest"]


@pytest.mark.parametrize("name", CANDIDATES)
def test_each_candidate_predicts_categories_with_probabilities(make_corpus: Callable[..., Corpus], name: str) -> None:
    points, manifest = make_corpus({"food": [3], "pets": [3], "rooms": [3]}, noise=0.05)

    model = pickle.loads(pickle.dumps(fit_category_model(name, points, manifest["category"], seed=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictions = predict_with_probability(model, points)

    assert predictions["predicted_category"].tolist() == manifest["category"].tolist()
    assert predictions["probability"].between(1 / 3, 1).all()
    assert list(model.classes_) == ["food", "pets", "rooms"]


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_can_be_fitted_to_two_videos_or_raises_an_error(
    make_corpus: Callable[..., Corpus], name: str
) -> None:
    points, manifest = make_corpus({"food": [1], "pets": [1]})

    if can_fit(name, manifest["category"]):
        model = fit_category_model(name, points, manifest["category"], seed=0)
        assert predict_with_probability(model, points)["predicted_category"].tolist() == ["food", "pets"]
    else:
        with pytest.raises(ValueError, match=f"{name} needs two videos of every category"):
            fit_category_model(name, points, manifest["category"], seed=0)


def test_points_with_different_axes_raise_an_error(make_corpus: Callable[..., Corpus]) -> None:
    points, manifest = make_corpus({"food": [2], "pets": [2]})
    model = fit_category_model("logistic_regression", points, manifest["category"], seed=0)

    with pytest.raises(ValueError, match="feature names"):
        predict_with_probability(model, points.add_prefix("other_"))


def test_ten_times_as_many_videos_need_no_more_training_steps_for_the_same_accuracy(
    make_corpus: Callable[..., Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(category_models, "MANY_VIDEOS", 300)
    few, many, others = (
        make_corpus({"food": [size], "pets": [size], "rooms": [size]}, noise=1.0) for size in (100, 1000, 1001)
    )
    models = [
        fit_category_model("logistic_regression", points, corpus["category"], 0) for points, corpus in (few, many)
    ]

    steps = [model[-1].n_iter_.item() for model in models]
    accuracies = [
        np.mean(
            predict_with_probability(model, others[0])["predicted_category"].to_numpy()
            == others[1]["category"].to_numpy()
        )
        for model in models
    ]

    assert steps[1] <= steps[0]
    assert accuracies[1] >= accuracies[0] - 0.01
