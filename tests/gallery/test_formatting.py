"""Formats of numbers and times on the pages."""

import pytest

from video_recommender.gallery.web_app import format_amount, format_clock, format_percent

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(("seconds", "shown"), [(None, ""), (0, "0:00"), (65.9, "1:05"), (3605, "1:00:05")])
def test_times_have_minutes_and_seconds(seconds, shown) -> None:
    assert format_clock(seconds) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.001, "< 1 %"), (0.125, "12 %"), (0.999, "> 99 %"), (1, "100 %")]
)
def test_only_exact_shares_read_as_0_or_100_percent(share, shown) -> None:
    assert format_percent(share).replace(SPACE, " ") == shown


@pytest.mark.parametrize(("number", "shown"), [(-0.001, "0.00"), (1, "1.00"), (-2.5, "-2.50")])
def test_zero_has_no_sign(number, shown) -> None:
    assert format_amount(number) == shown
