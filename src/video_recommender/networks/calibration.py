"""Make confidences mean what they say: of pictures named with 70 % confidence, 70 % are named right."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

LOGARITHM_BOUNDS = (-7.0, 3.0)
"""Temperatures from a thousandth to twenty: heads that are strongly regularised give small logits."""

BINS = 15


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Find the temperature that makes pictures of known classes most probable (Guo et al. 2017, arXiv:1706.04599).

    Args:
        logits: shape (n, classes), of pictures that the head was not trained on.
        labels: int64, shape (n,).

    Returns:
        By what to divide the logits; 1 where there are none.
    """
    if not len(labels):
        return 1.0
    exact, rows = logits.astype(np.float64), np.arange(len(labels))

    def surprise(logarithm: float) -> float:
        return float(-log_softmax(exact / np.exp(logarithm), axis=1)[rows, labels].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=LOGARITHM_BOUNDS, method="bounded").x))


def confidence_of_all_but(share: float, logits: NDArray[np.floating]) -> float:
    """Find the confidence that all but a share of pictures of known classes reach (Hendrycks and Gimpel 2017).

    Args:
        share: of the pictures that are to be less sure, 0 to 1.
        logits: calibrated, shape (n, classes), of pictures that the head was not trained on.

    Returns:
        0 to 1; 0 where the share is, or where there are no pictures.
    """
    if not (share and len(logits)):
        return 0.0
    return float(np.quantile(softmax(logits.astype(np.float64), axis=1).max(axis=1), share))


def expected_calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Measure how far confidences are from how often they are right, on average over pictures (Naeini et al. 2015).

    Args:
        probabilities: shape (n, classes).
        labels: int64, shape (n,).

    Returns:
        0 to 1; 0 is perfect.
    """
    confidences = probabilities.max(axis=1)
    gaps = (probabilities.argmax(axis=1) == labels) - confidences
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, gaps, minlength=BINS)).sum() / len(labels))
