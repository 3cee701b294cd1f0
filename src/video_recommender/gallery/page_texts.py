"""How figures read on a page."""

from collections.abc import Callable
from typing import Any, Final


def clock(seconds: float | None) -> str:
    """A time as a player shows it: `1:05`, or `1:00:05`; empty where it is not known."""
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def percent(share: float) -> str:
    """A share of one in hundredths: `86 %`; never 0 or 100 where it is not exactly that."""
    rounded = round(share * 100)
    if rounded == 0 and share > 0:
        return "< 1\N{NO-BREAK SPACE}%"
    if rounded == 100 and share < 1:
        return "> 99\N{NO-BREAK SPACE}%"
    return f"{rounded}\N{NO-BREAK SPACE}%"


def amount(number: float) -> str:
    """A number with two digits after the point; zero has no sign."""
    return f"{round(number, 2) + 0.0:.2f}"


FILTERS: Final[dict[str, Callable[..., Any]]] = {"amount": amount, "clock": clock, "percent": percent}
"""For the templates."""
