"""The single and the vector environment follow Gymnasium's API and agree with each other."""

import re
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from video_recommender.advertising.environment import ENV_ID, AdPlacementEnv, AdPlacementVectorEnv
from video_recommender.advertising.viewers import ViewerOptions


@pytest.mark.filterwarnings("error")
def test_the_environment_passes_gymnasiums_checks_in_every_scenario(any_viewers) -> None:
    check_env(gymnasium.make(ENV_ID, model=any_viewers, render_mode="ansi").unwrapped)


def test_the_environment_works_without_a_corpus() -> None:
    env = gymnasium.make(ENV_ID)

    observation, _ = env.reset(seed=0)

    assert env.observation_space.contains(observation)
    assert env.action_space.n == 6


def play(env, seed: int) -> list[tuple]:
    """Run a session with the ads 0, 1, 2, … and return the result of each step."""
    env.reset(seed=seed)
    steps, over = [], False
    while not over:
        observation, *rest = env.step(np.int64(len(steps) % env.action_space.n))
        steps.append((observation.tolist(), *rest))
        over = rest[1] or rest[2]
    return steps


def test_the_same_seed_gives_the_same_session(any_viewers) -> None:
    env = AdPlacementEnv(any_viewers)

    assert play(env, 3) == play(env, 3)
    assert any(play(env, seed) != play(env, 3) for seed in range(4, 8))


def test_observations_stay_within_the_observation_space(any_viewers) -> None:
    env = AdPlacementEnv(any_viewers)

    for seed in range(20):
        assert all(env.observation_space.contains(np.float32(observation)) for observation, *_ in play(env, seed))


def test_a_rendered_session_has_a_line_per_ad(viewers) -> None:
    env = AdPlacementEnv(viewers, render_mode="ansi")
    env.reset(seed=1, options={"video": "concerts/63"})
    steps = [env.step(np.int64(0))]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(np.int64(0)))

    first, *others = env.render().splitlines()

    assert first == "A viewer opens concerts/63."
    assert len(others) == len(steps)
    assert re.fullmatch(r"1\. \S+ \((long|short), (30|10) s\): (watched, \+\d\.00|skipped)\. .*\.", others[0])
    assert all(("watched" in line) == (step[1] > 0) for line, step in zip(others, steps, strict=True))
    assert "leaves" in others[-1]


def test_a_session_of_maximum_length_is_truncated_not_terminated(viewers) -> None:
    env = AdPlacementEnv(
        replace(viewers, options=ViewerOptions(leave_probability=0.0, max_videos=2)), render_mode="ansi"
    )
    env.reset(seed=0)

    assert env.step(np.int64(0))[2:4] == (False, False)
    assert env.step(np.int64(0))[2:4] == (False, True)
    assert "the session is truncated" in env.render()


@pytest.mark.parametrize("ad", [-1, 6])
def test_an_unknown_ad_is_rejected(viewers, ad) -> None:
    env, many = AdPlacementEnv(viewers), AdPlacementVectorEnv(viewers, num_envs=2)
    env.reset(seed=0)
    many.reset(seed=0)

    with pytest.raises(ValueError, match="from 0 to 5"):
        env.step(np.int64(ad))
    with pytest.raises(ValueError, match="from 0 to 5"):
        many.step(np.array([0, ad]))


def test_an_unknown_first_video_is_rejected(viewers) -> None:
    with pytest.raises(ValueError, match="Unknown video food/pie"):
        AdPlacementEnv(viewers).reset(options={"video": "food/pie"})


@pytest.mark.parametrize("env", [AdPlacementEnv(), AdPlacementVectorEnv(num_envs=2)], ids=["one", "many"])
def test_no_ad_can_be_shown_before_reset(env) -> None:
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\) first"):
        env.step(np.zeros(2, np.int64))


def test_one_session_of_the_vector_environment_equals_the_single_environment(any_viewers) -> None:
    one, many = AdPlacementEnv(any_viewers), AdPlacementVectorEnv(any_viewers, num_envs=1)
    observation, _ = one.reset(seed=11)
    observations, _ = many.reset(seed=11)
    assert np.array_equal(observations[0], observation)

    over = False
    while not over:
        observation, reward, ended, truncated, _ = one.step(np.int64(2))
        observations, rewards, all_ended, all_truncated, info = many.step(np.array([2]))
        over = ended or truncated
        last = info["final_obs"][0] if over else observations[0]
        assert np.array_equal(last, observation)
        assert (rewards[0], all_ended[0], all_truncated[0]) == (reward, ended, truncated)


def test_a_session_that_is_over_is_replaced_in_the_same_step(any_viewers) -> None:
    env = gymnasium.make_vec(ENV_ID, num_envs=500, vectorization_mode="vector_entry_point", model=any_viewers)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    env.reset(seed=0)
    axes = any_viewers.video_features.shape[1]

    observations, _, ended, truncated, info = env.step(np.zeros(500, np.int64))

    assert env.observation_space.contains(observations)
    over = ended | truncated
    assert 0 < over.sum() < 500
    assert np.array_equal(info["_final_obs"], over)
    assert (observations[over, axes:] == 0).all()
    assert (info["final_obs"][over, axes + 1] > 0).all()
    assert (observations[~over, axes + 1] > 0).all()


def test_a_seed_per_session_is_rejected(viewers) -> None:
    with pytest.raises(TypeError, match="one seed"):
        AdPlacementVectorEnv(viewers, num_envs=2).reset(seed=[1, 2])
