import numpy as np
import pytest
from scipy.special import softmax

from video_recommender.networks.head_training import (
    expected_calibration_error,
    find_rejection_threshold,
    fit_temperature,
)


def test_logits_that_are_three_times_too_large_give_a_temperature_of_three() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(20_000, 3)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (random.random((len(logits), 1)) > shares.cumsum(axis=1)).sum(axis=1)

    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.05)
    assert expected_calibration_error(shares, labels) < 0.01


def test_without_images_the_temperature_is_one() -> None:
    assert fit_temperature(np.empty((0, 3)), np.empty(0, np.int64)) == 1


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])

    assert expected_calibration_error(probabilities, np.array([0, 0, 1, 1])) == pytest.approx(0.15)


def test_the_requested_share_of_images_is_below_the_rejection_threshold() -> None:
    logits = np.random.default_rng(0).normal(size=(1000, 3))
    confidences = softmax(logits, axis=1).max(axis=1)

    assert np.mean(confidences < find_rejection_threshold(0.05, logits)) == pytest.approx(0.05, abs=0.001)
    assert find_rejection_threshold(0, logits) == 0
    assert find_rejection_threshold(0.05, np.empty((0, 3))) == 0
