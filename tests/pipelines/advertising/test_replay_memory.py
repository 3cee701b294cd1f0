"""What an agent remembers."""

import numpy as np

from video_recommender.advertising.replay_memory import ReplayMemory, Transitions


def lived(*numbers: int) -> Transitions:
    """Transitions that can be told apart by every part of theirs."""
    array = np.array(numbers)
    observed = np.repeat(array[:, np.newaxis], 3, axis=1).astype(np.float32)
    parts = array.astype(np.float32)
    return Transitions(observed, array, parts, parts, observed + 1)


def test_the_newest_take_the_place_of_the_oldest() -> None:
    memory = ReplayMemory(4, observed=3)
    memory.add(lived(1, 2, 3))
    memory.add(lived(4, 5))

    assert len(memory) == 4
    assert set(memory.sample(200, np.random.default_rng(0)).ads.tolist()) == {2, 3, 4, 5}


def test_what_belongs_together_stays_together() -> None:
    memory = ReplayMemory(4, observed=3)
    memory.add(lived(1, 2, 3))
    memory.add(lived(4, 5))

    drawn = memory.sample(50, np.random.default_rng(0))

    assert drawn.rewards.tolist() == drawn.ads.tolist() == drawn.observed[:, 2].tolist()
    assert drawn.next_observed[:, 0].tolist() == (drawn.ads + 1).tolist()


def test_nothing_is_drawn_that_was_not_lived_through() -> None:
    memory = ReplayMemory(1000, observed=3)
    memory.add(lived(7))

    assert memory.sample(20, np.random.default_rng(0)).ads.tolist() == [7] * 20
