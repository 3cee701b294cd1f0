"""Evaluation of policies, learning curves and plots."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.baseline_agents import train_q_table
from video_recommender.advertising.evaluation import (
    AdEvaluationOptions,
    add_regret,
    evaluate_on_unseen_videos,
    evaluate_policies,
    plot_choices,
    plot_learning_curve,
    reference_policies,
    split_videos,
    tabulate_choices,
)
from video_recommender.advertising.policies import KindPolicy, MatchedGreedyPolicy, RandomPolicy

OPTIONS = AdEvaluationOptions(runs=4, sessions=500)


def test_all_policies_are_evaluated_relative_to_the_optimum(any_viewers) -> None:
    report = evaluate_policies(any_viewers, reference_policies(), OPTIONS, seed=0).set_index("policy")

    assert set(report.index) == {"optimum", "random", "always_short", "always_long", "matched_greedy"}
    assert report.index[0] == "optimum"
    assert report.loc["optimum", "share_of_optimum"] == 1
    assert (report["revenue_low"] <= report["revenue_per_session"]).all()
    assert (report["share_of_bound"] <= report["share_of_optimum"] + 1e-9).all()


def test_an_optimal_policy_earns_exactly_the_optimum_in_every_run(viewers) -> None:
    report = evaluate_policies(viewers, {"matched_greedy": MatchedGreedyPolicy()}, OPTIONS, seed=0).set_index("policy")

    assert report.loc["matched_greedy", ["share_of_optimum", "share_low", "share_high"]].tolist() == [1, 1, 1]


def test_intervals_cover_the_expected_revenue(viewers) -> None:
    policies = {"random": RandomPolicy()}
    many = evaluate_policies(viewers, policies, AdEvaluationOptions(runs=2, sessions=50_000), seed=0).set_index(
        "policy"
    )
    truth = many.loc["random", "revenue_per_session"]

    reports = [evaluate_policies(viewers, policies, OPTIONS, seed) for seed in range(40)]
    rows = [report.set_index("policy").loc["random"] for report in reports]
    covered = sum(row["revenue_low"] <= truth <= row["revenue_high"] for row in rows)

    assert covered >= 33  # of 40 at 95 %: fewer have a probability of 1 in 700


def test_training_and_held_out_videos_share_no_group(viewers) -> None:
    groups = pd.Series([f"group {number // 3}" for number in range(90)], list(viewers.video_ids))

    seen, unseen = split_videos(viewers, groups, seed=0)

    assert np.union1d(seen, unseen).tolist() == list(range(90))
    assert not set(groups.iloc[seen]) & set(groups.iloc[unseen])
    assert np.bincount(viewers.video_category[unseen]).tolist() == [9, 9, 12]


def test_too_few_groups_cannot_be_split(viewers) -> None:
    with pytest.raises(ValueError, match=r"at least 3 groups \(found: 1\)"):
        split_videos(viewers, pd.Series("one", list(viewers.video_ids)), seed=0)


def test_policies_are_trained_on_some_videos_and_evaluated_on_the_others(viewers) -> None:
    trained_on = []
    groups = pd.Series(list(viewers.video_ids), list(viewers.video_ids))

    def train(seen):
        trained_on.extend(seen.video_ids)
        return {"always_long": KindPolicy("long")}

    report = evaluate_on_unseen_videos(viewers, groups, train, OPTIONS, seed=0)

    assert len(trained_on) == 60
    assert set(report["videos"]) == {"unseen"}
    assert report.set_index("policy").loc["always_long", "share_of_optimum"] == 1


def test_choices_list_the_ads_of_each_category_with_their_watch_rate(viewers) -> None:
    choices = tabulate_choices(viewers, KindPolicy("short"), OPTIONS, seed=0).set_index("ad_id")

    assert choices.loc[["cats-short", "concerts-short"], "share"].tolist() == [1, 1]
    assert choices.loc["cats-long", ["share", "optimal_share"]].tolist() == [0, 1]
    assert choices.loc["cats-short", "watch_rate"] == pytest.approx(0.7, abs=0.05)
    assert choices.loc["cats-short", "revenue_per_showing"] == pytest.approx(0.7, abs=0.05)
    assert np.isnan(choices.loc["cats-long", "watch_rate"])


def test_regret_is_the_revenue_of_the_optimum_minus_that_of_the_agent(viewers) -> None:
    curve = train_q_table(viewers, steps=20_000, seed=0).learning_curve

    regret = add_regret(curve, 10.0)["regret"]

    assert regret.tolist() == pytest.approx((10 * curve["sessions"] - curve["earned"]).tolist())


def test_plots_have_a_line_per_agent_and_a_row_per_category(viewers) -> None:
    curve = add_regret(train_q_table(viewers, steps=20_000, seed=0).learning_curve, 8.6)

    lines = plot_learning_curve(curve, 8.6).data
    heat_map = plot_choices(tabulate_choices(viewers, KindPolicy("short"), OPTIONS, seed=0)).data[0]

    assert [line.name for line in lines] == ["tabular Q-learning"] * 2
    assert heat_map.y == ("car races", "cats", "concerts")
    assert max(max(row) for row in heat_map.z) == 1
