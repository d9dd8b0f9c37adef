"""How numbers, times and sizes read in the terminal. Unknown is "–"."""

from __future__ import annotations

import math
import time

UNKNOWN = "–"


def score(value: float | None, form: str = ".3f") -> str:
    """A score with three decimals."""
    return UNKNOWN if value is None or math.isnan(value) else format(value, form)


def whole(value: int | None) -> str:
    """A count with thousands separators."""
    return UNKNOWN if value is None else f"{value:,}"


def percent(share: float) -> str:
    """A fraction as a percentage with two decimals."""
    return f"{100 * share:.2f} %"


def duration(seconds: float | None) -> str:
    """A time span, such as "12 min 30 s"."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(at: float | None) -> str:
    """A point in time on this machine's clock."""
    return UNKNOWN if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def second(at: float) -> str:
    """A point in time on this machine's clock, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def size(count: int) -> str:
    """Bytes as people read them."""
    if count < 1_000_000:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.1f} GB"
