"""A deep Q-network that learns from simulated sessions which ad to show: to be read from top to bottom.

It is the agent of Mnih et al. (2015, doi:10.1038/nature14236), with its replay memory, its second network that gives
the targets, and two amendments: double Q-learning (van Hasselt et al. 2016, arXiv:1509.06461), and a target network
that follows slowly instead of in jumps (Lillicrap et al. 2016, arXiv:1509.02971). It watches many sessions at a time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from video_recommender.advertising.endless_sessions import with_arrivals
from video_recommender.advertising.learning_progress import LearningProgress, Watcher
from video_recommender.advertising.q_network_policy import QNetworkPolicy
from video_recommender.advertising.replay_memory import ReplayMemory, Transitions
from video_recommender.advertising.viewer_model import Share, ViewerModel
from video_recommender.console_output import suppress_stderr
from video_recommender.schemas import AdLearningCurve

if TYPE_CHECKING:
    import keras

COUNT_DEVIATION = 0.2
"""By what all but the features of an observation is divided. Not by its deviation at first: an ad that is shown at
random is shown seldom, and once the agent has come to prefer it the network would be flooded by what it sees."""


class AgentOptions(BaseModel):
    """How the agent learns (parameters_advertising.yml).

    Attributes:
        steps: how many ads are shown while it learns.
        sessions: how many sessions it watches side by side; after each ad in all of them it learns once.
        learning_rate: of Adam at first (Kingma and Ba 2015, arXiv:1412.6980); it falls to 0 along a cosine.
        discount: what earnings are worth one ad later. At 1, all of a session counts, which is what is to be earned.
        first_epsilon: how often any ad is tried at first.
        last_epsilon: how often in the end. Many ads are nearly as good as the best: it takes many looks to tell.
        exploration: over which share of the steps it falls from the one to the other.
        batch: how many remembered ads it learns from at a time.
        hidden_units: of each hidden layer.
        replay_size: how many ads are remembered.
        target_update: what share of the way the target network goes after the other each time.
        seed: where chance begins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: PositiveInt = 2_000_000
    sessions: PositiveInt = 512
    learning_rate: PositiveFloat = 0.005
    discount: Share = 1.0
    first_epsilon: Share = 1.0
    last_epsilon: Share = 0.3
    exploration: Annotated[float, Field(gt=0, le=1)] = 0.5
    batch: PositiveInt = 1024
    hidden_units: tuple[PositiveInt, ...] = (64, 64)
    replay_size: PositiveInt = 200_000
    target_update: Annotated[float, Field(gt=0, le=1)] = 0.01
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _memory_holds_what_is_seen_at_once(self) -> Self:
        if self.replay_size < self.sessions:
            raise ValueError(f"replay_size must be at least the number of sessions, {self.sessions}")
        return self


@dataclass(frozen=True, eq=False)
class TrainedAgent:
    """An agent that has learnt.

    Attributes:
        policy: chooses ads without Keras.
        network: the same as a Keras model, from observations to action values in units of the reward.
        learning_curve: how well the agent did while it learnt.
    """

    policy: QNetworkPolicy
    network: "keras.Model"
    learning_curve: DataFrame[AdLearningCurve]


def train_deep_q_network(model: ViewerModel, options: AgentOptions, watcher: Watcher | None = None) -> TrainedAgent:
    """Let a network try ads on viewers until it knows what each is worth.

    Args:
        model: the viewers; the agent looks at what it may observe of them and at what the dearest ad earns.
        options: see `AgentOptions`.
        watcher: see `Watcher`; None: nobody watches.

    Returns:
        See `TrainedAgent`. The same viewers and options give the same agent on the same machine.
    """
    with suppress_stderr():
        import keras
        import tensorflow as tf

    keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    ads, dearest = len(model.ads), float(model.ads.reward.max()) or 1.0
    rounds = -(-options.steps // options.sessions)
    progress = LearningProgress("deep_q_network", model, rounds, options.seed, watcher)
    mean, deviation = _observation_scale(model)

    network = keras.Sequential(
        [
            keras.Input(mean.shape, name="observed"),
            keras.layers.Normalization(mean=mean, variance=deviation**2, name="normalise"),
            *(
                keras.layers.Dense(units, "relu", name=f"hidden_{number}")
                for number, units in enumerate(options.hidden_units, start=1)
            ),
            keras.layers.Dense(ads, name="values"),
        ],
        name="ad_network",  # named, all of it, because Keras would count what else was built in this process
    )
    target = keras.models.clone_model(network)
    target.set_weights(network.get_weights())
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(options.learning_rate, rounds))
    optimizer.build(network.trainable_variables)
    values_of = tf.function(network)

    @tf.function
    def learn(observed, ads, rewards, goes_on, next_observed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        best = tf.argmax(network(next_observed), axis=1)
        goals = rewards + options.discount * goes_on * tf.gather(target(next_observed), best, batch_dims=1)
        with tf.GradientTape() as tape:
            values = tf.gather(network(observed), ads, batch_dims=1)
            # Squares, not Huber's loss: what an ad earns on average is asked for, and Huber's is drawn to the median.
            loss = tf.reduce_mean((goals - values) ** 2)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        for slow, fast in zip(target.trainable_variables, network.trainable_variables, strict=True):
            slow.assign_add(options.target_update * (fast - slow))

    memory = ReplayMemory(options.replay_size, len(mean))
    sessions = model.start_sessions(options.sessions, rng)
    observed = model.observe(sessions)
    for number in range(1, rounds + 1):
        epsilon = np.interp(number / rounds, [0, options.exploration], [options.first_epsilon, options.last_epsilon])
        explores = rng.random(options.sessions) < epsilon
        best = values_of(observed).numpy().argmax(axis=1)
        chosen = np.where(explores, rng.integers(ads, size=options.sessions), best)

        shown = model.show_ads(sessions, chosen, rng)
        rewards, goes_on = (shown.reward / dearest).astype(np.float32), (~shown.is_over).astype(np.float32)
        memory.add(Transitions(observed, chosen, rewards, goes_on, model.observe(shown.sessions)))
        sessions = with_arrivals(model, shown, rng)
        observed = model.observe(sessions)

        lived = memory.sample(options.batch, rng)
        learn(lived.observed, lived.ads, lived.rewards, lived.goes_on, lived.next_observed)
        progress.count(shown)
        if progress.is_due(number):
            progress.look(_policy_of(target, dearest))

    last = target.layers[-1]
    last.set_weights([dearest * weights for weights in last.get_weights()])
    return TrainedAgent(_policy_of(target), target, progress.curve())


def _observation_scale(model: ViewerModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """By what to shift and divide an observation; features all alike, so that a faint axis is not made a loud one."""
    features = model.video_features
    width = model.observe(model.start_sessions(1, np.random.default_rng(0))).shape[1]
    mean, deviation = np.zeros(width, np.float32), np.full(width, COUNT_DEVIATION, np.float32)
    mean[: features.shape[1]] = features.mean(axis=0)
    deviation[: features.shape[1]] = np.sqrt(features.var(axis=0).mean()) or 1
    return mean, deviation


def _policy_of(network: "keras.Model", unit: float = 1.0) -> QNetworkPolicy:
    """The network as arrays, its values multiplied by `unit`, its first layer taking observations as they are."""
    normalise, *layers = network.layers
    weights, biases = map(list, zip(*(layer.get_weights() for layer in layers), strict=True))
    mean, deviation = (np.asarray(values).ravel() for values in (normalise.mean, normalise.variance**0.5))
    weights[0] = weights[0] / deviation[:, np.newaxis]
    biases[0] = biases[0] - mean @ weights[0]
    weights[-1], biases[-1] = unit * weights[-1], unit * biases[-1]
    return QNetworkPolicy(tuple(weights), tuple(biases))
