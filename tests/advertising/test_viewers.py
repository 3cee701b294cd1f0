"""Simulated viewers follow their probabilities within 4.5 standard errors, which 1 seed in 150,000 exceeds."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from video_recommender.advertising.ads import AdInventory, generate_ads
from video_recommender.advertising.environment import example_viewers
from video_recommender.advertising.viewers import ABSENT, Sessions, ViewerModel, ViewerOptions

MANY = 40_000
ALLOWED_ERRORS = 4.5


def at_video(model: ViewerModel, video: int, sessions: int = MANY, seed: int = 0) -> Sessions:
    return model.start_sessions(sessions, np.random.default_rng(seed), np.full(sessions, video))


def ad_of(model: ViewerModel, ad_id: str) -> int:
    return model.ads.ad_ids.index(ad_id)


def video_of(model: ViewerModel, category: str) -> int:
    return int(np.flatnonzero(model.video_category == model.category_names.index(category))[0])


def assert_share(outcomes: np.ndarray, probability: float) -> None:
    error = np.sqrt(probability * (1 - probability) / len(outcomes))
    assert abs(outcomes.mean() - probability) <= ALLOWED_ERRORS * error


def test_viewers_continue_along_the_recommendations_in_proportion_to_similarity() -> None:
    videos = ["cats/1", "cats/2", "dogs/1", "dogs/2", "none/1"]
    categories = pd.Series(["cats", "cats", "dogs", "dogs", "dogs"], pd.Index(videos, name="video_id"))
    rows = [
        ("cats/1", 1, "cats/2", 0.9), ("cats/1", 2, "dogs/1", 0.3), ("cats/1", 3, "cats/copy", 0.2),
        ("dogs/1", 1, "dogs/2", -0.5), ("cats/copy", 1, "cats/1", 1.0),
    ]  # fmt: skip
    recommendations = pd.DataFrame(rows, columns=["video_id", "rank", "recommended_video_id", "similarity"])
    ads = AdInventory.from_table(generate_ads(categories, seed=0))
    model = ViewerModel.from_recommendations(
        recommendations, categories, np.zeros((5, 2), np.float32), ads, ViewerOptions()
    )

    probability = model.next_video_probability(model.start_everywhere())

    assert model.video_ids == tuple(videos)
    assert [model.category_names[category] for category in model.video_category] == categories.tolist()
    assert dict(zip(model.neighbours[0], probability[0], strict=True)) == pytest.approx({1: 0.75, 2: 0.25, -1: 0})
    assert model.neighbours[2, 0] == 3
    assert probability[2, 0] == 1, "opposite videos are equally probable"
    assert (probability[[1, 3, 4]] == 0).all()


@pytest.mark.parametrize(
    ("category", "ad_id", "probability"),
    [
        ("cats", "cats-long", 0.3),
        ("cats", "cats-short", 0.7),
        ("car races", "car-races-long", 0.4),
        ("concerts", "concerts-short", 0.9),
        ("cats", "concerts-short", 0.45),
        ("concerts", "cats-long", 0.15),
    ],
)
def test_ads_are_watched_as_often_as_the_table_says_and_half_as_often_before_other_categories(
    viewers, category, ad_id, probability
) -> None:
    sessions, ad = at_video(viewers, video_of(viewers, category)), ad_of(viewers, ad_id)

    shown = viewers.show_ads(sessions, np.full(MANY, ad), np.random.default_rng(1))

    assert viewers.watch_probability(sessions)[0, ad] == pytest.approx(probability)
    assert_share(shown.watched, probability)
    assert shown.reward == pytest.approx(shown.watched * viewers.ads.reward[ad])


def test_long_and_repeated_ads_increase_the_probability_that_viewers_leave() -> None:
    model = example_viewers(options=ViewerOptions(annoyance_long=0.2, annoyance_repeat=0.3))
    ad = ad_of(model, "cats-long")
    fresh = at_video(model, 0)
    third_time = replace(fresh, last_ad=np.full(MANY, ad), streak=np.full(MANY, 2))
    after_another = replace(third_time, last_ad=np.full(MANY, ad + 1))

    for sessions, stays in [
        (fresh, 0.9 * (1 - 0.2 * 30 / 60)),
        (third_time, 0.9 * (1 - 0.2 * 30 / 60) * 0.7**2),
        (after_another, 0.9 * (1 - 0.2 * 30 / 60)),
    ]:
        shown = model.show_ads(sessions, np.full(MANY, ad), np.random.default_rng(2))
        assert model.leave_probability(sessions.last_ad, sessions.streak)[0, ad] == pytest.approx(1 - stays)
        assert_share(shown.terminated, 1 - stays)


def test_by_default_ads_do_not_change_when_viewers_leave(viewers) -> None:
    sessions = replace(at_video(viewers, 0, 5), last_ad=np.zeros(5, np.int64), streak=np.full(5, 9))

    assert viewers.leave_probability(sessions.last_ad, sessions.streak) == pytest.approx(0.1)


def test_the_next_video_is_drawn_by_similarity_from_unseen_videos(viewers) -> None:
    similarity = viewers.similarity.copy()
    similarity[0] = np.arange(10)
    model = replace(viewers, similarity=similarity, options=ViewerOptions(leave_probability=0.0))
    seen, dissimilar = viewers.neighbours[0, 9], viewers.neighbours[0, 0]
    sessions = at_video(model, 0)
    visited = sessions.visited.copy()
    visited[:, :2] = [seen, 0]
    sessions = replace(sessions, visited=visited, position=np.ones(MANY, np.int64))

    following = model.show_ads(sessions, np.zeros(MANY, np.int64), np.random.default_rng(3)).sessions.video

    assert not {seen, dissimilar} & set(following)
    for weight, neighbour in zip(similarity[0, 1:9], viewers.neighbours[0, 1:9], strict=True):
        assert_share(following == neighbour, weight / similarity[0, :9].sum())


def test_without_similarity_all_neighbours_are_equally_probable(viewers) -> None:
    model = replace(viewers, similarity=np.zeros_like(viewers.similarity), options=ViewerOptions(leave_probability=0.0))

    following = model.show_ads(at_video(model, 0), np.zeros(MANY, np.int64), np.random.default_rng(4)).sessions.video

    for neighbour in viewers.neighbours[0]:
        assert_share(following == neighbour, 0.1)


def test_no_session_has_a_video_twice_or_exceeds_its_maximum_length(any_viewers) -> None:
    longest = any_viewers.options.max_videos
    rng = np.random.default_rng(5)
    sessions = any_viewers.start_sessions(2000, rng)
    lengths = []
    while len(sessions):
        shown = any_viewers.show_ads(sessions, rng.integers(len(any_viewers.ads), size=len(sessions)), rng)
        over = shown.sessions.take(shown.is_over)
        for visited, position in zip(over.visited, over.position, strict=True):
            assert len(set(visited[visited >= 0])) == position + 1
            assert (visited[position + 1 :] == ABSENT).all()
        lengths += [*(over.position + 1)]
        assert not (shown.terminated & shown.truncated).any()
        assert (shown.sessions.position[shown.truncated] == longest - 1).all()
        sessions = shown.sessions.take(~shown.is_over)
    assert len(lengths) == 2000
    assert max(lengths) <= longest


def test_a_session_ends_if_no_video_is_recommended(viewers) -> None:
    model = replace(
        viewers, neighbours=np.full_like(viewers.neighbours, -1), options=ViewerOptions(leave_probability=0.0)
    )

    shown = model.show_ads(at_video(model, 0, 100), np.zeros(100, np.int64), np.random.default_rng(0))

    assert shown.terminated.all()


def test_viewers_watch_ads_of_their_favourite_category_more_often_and_others_less() -> None:
    model = example_viewers(options=ViewerOptions(tastes=True))
    sessions = at_video(model, video_of(model, "concerts"), 3)
    sessions = replace(sessions, taste=np.array([model.category_names.index("concerts")] * 3))

    probability = model.watch_probability(sessions)[0]

    assert probability[ad_of(model, "concerts-short")] == 1
    assert probability[ad_of(model, "concerts-long")] == pytest.approx(0.75)
    assert probability[ad_of(model, "cats-short")] == pytest.approx(0.7 * 0.5 * 0.5)


def test_tastes_are_drawn_evenly_and_cannot_be_observed() -> None:
    model = example_viewers(options=ViewerOptions(tastes=True))
    sessions = model.start_sessions(MANY, np.random.default_rng(6))
    other = replace(sessions, taste=(sessions.taste + 1) % 3)

    for category in range(3):
        assert_share(sessions.taste == category, 1 / 3)
    assert np.array_equal(model.observe(sessions), model.observe(other))


def test_observations_have_the_documented_order(viewers) -> None:
    axes, ads = viewers.video_features.shape[1], len(viewers.ads)
    sessions = at_video(viewers, 7, 1)
    sessions = replace(
        sessions,
        position=np.array([3]),
        last_ad=np.array([2]),
        streak=np.array([2]),
        shown=np.array([[0, 1, 2, 0, 0, 0]]),
        watched=np.array([[0, 0, 1, 0, 0, 0]]),
    )

    (observed,) = viewers.observe(sessions)

    assert observed.dtype == np.float32
    assert observed[:axes] == pytest.approx(viewers.video_features[7])
    assert observed[axes] == pytest.approx(3 / 30)
    assert observed[axes + 1 : axes + 1 + ads] == pytest.approx([0, 0, 0.4, 0, 0, 0])
    assert observed[axes + 1 + ads : axes + 1 + 2 * ads] * 30 == pytest.approx([0, 1, 2, 0, 0, 0])
    assert observed[axes + 1 + 2 * ads :] * 30 == pytest.approx([0, 0, 1, 0, 0, 0])


def test_the_same_seed_gives_the_same_sessions(any_viewers) -> None:
    def third_ad(seed: int) -> Sessions:
        rng = np.random.default_rng(seed)
        sessions = any_viewers.start_sessions(500, rng)
        for _ in range(3):
            sessions = any_viewers.show_ads(sessions, rng.integers(6, size=500), rng).sessions
        return sessions

    first, again, other = third_ad(1), third_ad(1), third_ad(2)

    assert all(np.array_equal(getattr(first, field.name), getattr(again, field.name)) for field in fields(Sessions))
    assert not np.array_equal(first.visited, other.visited)


def test_showing_an_ad_does_not_change_the_previous_state(viewers) -> None:
    sessions = viewers.start_sessions(100, np.random.default_rng(0))
    before = {field.name: getattr(sessions, field.name).copy() for field in fields(Sessions)}

    viewers.show_ads(sessions, np.zeros(100, np.int64), np.random.default_rng(0))

    assert all(np.array_equal(getattr(sessions, name), values) for name, values in before.items())


def test_viewers_restricted_to_some_videos_see_no_others(viewers) -> None:
    kept = np.array([3, 1, 40, 41, 42])
    model = viewers.restrict_to(kept)

    assert model.video_ids == tuple(viewers.video_ids[video] for video in kept)
    names = {
        (video, model.video_ids[n])
        for video, row in zip(model.video_ids, model.neighbours, strict=True)
        for n in row[row >= 0]
    }
    whole = {
        (viewers.video_ids[video], viewers.video_ids[n])
        for video in kept
        for n in viewers.neighbours[video]
        if n in kept
    }
    assert names == whole


def test_a_category_without_ads_is_named(viewers) -> None:
    with pytest.raises(ValueError, match="food has no ads: add a long and a short ad"):
        replace(viewers, category_names=(*viewers.category_names, "food"))


def test_viewers_need_a_video(viewers) -> None:
    with pytest.raises(ValueError, match="at least one video"):
        replace(viewers, video_ids=())


@pytest.mark.parametrize(
    "options",
    [
        {"leave_probability": 1.1},
        {"mismatch": -0.1},
        {"max_videos": 0},
        {"annoyance_long": float("nan")},
        {"tast": 1},
    ],
)
def test_invalid_options_are_rejected_by_name(options) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        ViewerOptions(**options)
