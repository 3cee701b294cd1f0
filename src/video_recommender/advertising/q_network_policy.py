"""A trained Q-network as plain arrays: chooses ads without TensorFlow, hundreds of thousands a second."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from video_recommender.advertising.policies import show_only
from video_recommender.advertising.viewer_model import FloatArray, Sessions, ViewerModel


@dataclass(frozen=True, eq=False)
class QNetworkPolicy:
    """Shows the ad of the highest value, the first of them where several are equal.

    Attributes:
        weights: of each dense layer, float32, shape (inputs, outputs); all but the last are followed by a ReLU.
        biases: of each dense layer, float32, shape (outputs,).
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def action_values(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tell what each ad is believed to earn, with all that follows in the session.

        Args:
            observations: float32, shape (sessions, observed), as `ViewerModel.observe` gives them.

        Returns:
            float32, shape (sessions, ads), in units of the reward.
        """
        hidden = observations
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weights + bias, 0)
        return np.asarray(hidden @ self.weights[-1] + self.biases[-1])

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        values = self.action_values(model.observe(sessions))
        return show_only(values.argmax(axis=1), values.shape[1])
