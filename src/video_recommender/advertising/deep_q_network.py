"""Train a deep Q-network (Mnih et al. 2015, doi:10.1038/nature14236) on simulated sessions.

The agent has a replay buffer and a target network with soft updates (Lillicrap et al. 2016, arXiv:1509.02971), uses
double Q-learning (van Hasselt et al. 2016, arXiv:1509.06461), and acts in many sessions in parallel.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from video_recommender.advertising.ads import IntArray
from video_recommender.advertising.evaluation import (
    AGENT,
    PARALLEL_SESSIONS,
    CurveCallback,
    LearningCurve,
    TrainedPolicy,
)
from video_recommender.advertising.policies import QNetworkPolicy
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.console_output import suppress_stderr

if TYPE_CHECKING:
    import keras

FIRST_EPSILON, LAST_EPSILON = 1.0, 0.3
"""Exploration rate (epsilon). Ads of nearly equal value need many samples to rank, so the last rate is high."""
EXPLORATION_SHARE = 0.5  # share of the training in which epsilon decreases linearly
BATCH_SIZE = 1024
REPLAY_SIZE = 200_000  # transitions
TAU = 0.01  # soft-update rate (tau) of the target network
COUNT_DEVIATION = 0.2
"""Standard deviation assumed for all observed values except the features of the video. The deviation under random ads
is too small, because the counts of a preferred ad would then saturate the network."""


class AgentOptions(BaseModel, extra="forbid", frozen=True):
    """Training options of the deep Q-network (parameters_advertising.yml)."""

    steps: PositiveInt = 2_000_000
    learning_rate: PositiveFloat = 0.005
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    hidden_units: tuple[PositiveInt, ...] = (64, 64)


@dataclass(frozen=True, eq=False)
class TrainedAgent(TrainedPolicy):
    """A trained agent, whose `network` maps observations to action values, in units of the reward."""

    policy: QNetworkPolicy
    network: "keras.Model"


@dataclass(frozen=True, eq=False)
class Transitions:
    """Transitions between states. Observations have the shape (n, observed), all other arrays the shape (n,).

    `rewards` are divided by the highest reward of an ad. `continues` is 1 if the session continues, else 0.
    """

    observations: NDArray[np.float32]
    actions: IntArray
    rewards: NDArray[np.float32]
    continues: NDArray[np.float32]
    next_observations: NDArray[np.float32]


class ReplayBuffer:
    """Replay buffer of the newest `size` transitions (Lin 1992)."""

    def __init__(self, size: int, observed: int) -> None:
        self._buffer = Transitions(
            observations=np.empty((size, observed), np.float32),
            actions=np.empty(size, np.int64),
            rewards=np.empty(size, np.float32),
            continues=np.empty(size, np.float32),
            next_observations=np.empty((size, observed), np.float32),
        )
        self._size = size
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self._size)

    def add(self, transitions: Transitions) -> None:
        """Add at most `size` transitions. If the buffer is full, they overwrite the oldest transitions."""
        rows = np.arange(self._added, self._added + len(transitions.actions)) % self._size
        for name, values in vars(self._buffer).items():
            values[rows] = getattr(transitions, name)
        self._added += len(rows)

    def sample(self, count: int, rng: np.random.Generator) -> Transitions:
        """Draw transitions uniformly with replacement."""
        rows = rng.integers(len(self), size=count)
        return Transitions(**{name: values[rows] for name, values in vars(self._buffer).items()})


def train_deep_q_network(
    model: ViewerModel, options: AgentOptions, seed: int, on_evaluation: CurveCallback | None = None
) -> TrainedAgent:
    """Train a deep Q-network on simulated sessions. The same seed gives the same agent on the same machine.

    Training uses only observations and rewards, which are scaled by the highest reward of an ad.
    """
    with suppress_stderr():
        import keras
        import tensorflow as tf

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    ads, reward_scale = len(model.ads), float(model.ads.reward.max()) or 1.0
    learning_curve = LearningCurve(AGENT, model, options.steps, seed, on_evaluation)
    rounds = learning_curve.rounds
    mean, deviation = _observation_scale(model)

    network = keras.Sequential(
        [
            keras.Input(mean.shape, name="observed"),
            keras.layers.Normalization(mean=mean, variance=deviation**2, name="normalise"),
            *(keras.layers.Dense(units, "relu", name=f"hidden_{n}") for n, units in enumerate(options.hidden_units, 1)),
            keras.layers.Dense(ads, name="values"),
        ],
        name="ad_network",  # all names are explicit: Keras numbers unnamed layers per process
    )
    target_network = keras.models.clone_model(network)
    target_network.set_weights(network.get_weights())
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(options.learning_rate, rounds))
    optimizer.build(network.trainable_variables)
    action_values = tf.function(network)

    @tf.function
    def update(observations, actions, rewards, continues, next_observations):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        best = tf.argmax(network(next_observations), axis=1)
        next_values = tf.gather(target_network(next_observations), best, batch_dims=1)
        targets = rewards + options.discount * continues * next_values
        with tf.GradientTape() as tape:
            values = tf.gather(network(observations), actions, batch_dims=1)
            # Squared error, which is minimal at the mean return. The Huber loss is biased towards the median.
            loss = tf.reduce_mean((targets - values) ** 2)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        for slow, fast in zip(target_network.trainable_variables, network.trainable_variables, strict=True):
            slow.assign_add(TAU * (fast - slow))

    replay_buffer = ReplayBuffer(REPLAY_SIZE, len(mean))
    sessions = model.start_sessions(PARALLEL_SESSIONS, rng)
    observations = model.observe(sessions)
    for number in range(1, rounds + 1):
        epsilon = np.interp(number / rounds, [0, EXPLORATION_SHARE], [FIRST_EPSILON, LAST_EPSILON])
        explores = rng.random(PARALLEL_SESSIONS) < epsilon
        greedy = action_values(observations).numpy().argmax(axis=1)
        actions = np.where(explores, rng.integers(ads, size=PARALLEL_SESSIONS), greedy)

        result = model.show_ads(sessions, actions, rng)
        rewards, continues = (result.reward / reward_scale).astype(np.float32), (~result.is_over).astype(np.float32)
        replay_buffer.add(Transitions(observations, actions, rewards, continues, model.observe(result.sessions)))
        sessions = model.replace_finished(result, rng)
        observations = model.observe(sessions)

        batch = replay_buffer.sample(BATCH_SIZE, rng)
        update(batch.observations, batch.actions, batch.rewards, batch.continues, batch.next_observations)
        learning_curve.record(number, result, lambda: _to_policy(target_network, reward_scale))

    last_layer = target_network.layers[-1]
    last_layer.set_weights([reward_scale * weights for weights in last_layer.get_weights()])
    return TrainedAgent(_to_policy(target_network), learning_curve.table(), target_network)


def _observation_scale(model: ViewerModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation for normalisation. One deviation for all features keeps relative sizes."""
    features = model.video_features
    width = model.observe(model.start_sessions(1, np.random.default_rng(0))).shape[1]
    mean, deviation = np.zeros(width, np.float32), np.full(width, COUNT_DEVIATION, np.float32)
    mean[: features.shape[1]] = features.mean(axis=0)
    deviation[: features.shape[1]] = np.sqrt(features.var(axis=0).mean()) or 1
    return mean, deviation


def _to_policy(network: "keras.Model", value_scale: float = 1.0) -> QNetworkPolicy:
    """Convert the network to arrays, merge normalisation into the first layer, and scale outputs by `value_scale`."""
    normalise, *layers = network.layers
    weights, biases = map(list, zip(*(layer.get_weights() for layer in layers), strict=True))
    mean, deviation = (np.asarray(values).ravel() for values in (normalise.mean, normalise.variance**0.5))
    weights[0] = weights[0] / deviation[:, np.newaxis]
    biases[0] = biases[0] - mean @ weights[0]
    weights[-1], biases[-1] = value_scale * weights[-1], value_scale * biases[-1]
    return QNetworkPolicy(tuple(weights), tuple(biases))
