"""The replay buffer of the deep Q-network."""

import numpy as np

from video_recommender.advertising.deep_q_network import ReplayBuffer, Transitions


def transitions(*numbers: int) -> Transitions:
    """Transitions that differ in every field."""
    array = np.array(numbers)
    observations = np.repeat(array[:, np.newaxis], 3, axis=1).astype(np.float32)
    values = array.astype(np.float32)
    return Transitions(observations, array, values, values, observations + 1)


def test_the_newest_transitions_replace_the_oldest() -> None:
    buffer = ReplayBuffer(4, observed=3)
    buffer.add(transitions(1, 2, 3))
    buffer.add(transitions(4, 5))

    assert len(buffer) == 4
    assert set(buffer.sample(200, np.random.default_rng(0)).actions.tolist()) == {2, 3, 4, 5}


def test_the_fields_of_a_transition_stay_together() -> None:
    buffer = ReplayBuffer(4, observed=3)
    buffer.add(transitions(1, 2, 3))
    buffer.add(transitions(4, 5))

    drawn = buffer.sample(50, np.random.default_rng(0))

    assert drawn.rewards.tolist() == drawn.actions.tolist() == drawn.observations[:, 2].tolist()
    assert drawn.next_observations[:, 0].tolist() == (drawn.actions + 1).tolist()


def test_only_added_transitions_are_drawn() -> None:
    buffer = ReplayBuffer(1000, observed=3)
    buffer.add(transitions(7))

    assert buffer.sample(20, np.random.default_rng(0)).actions.tolist() == [7] * 20
