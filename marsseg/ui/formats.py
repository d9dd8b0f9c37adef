"""Numbers as people read them: one place for scores, durations, sizes and counts. Unknown is "–"."""

from __future__ import annotations

import math

UNKNOWN = "–"
DECODING_NAMES = {"terrain_only": "terrain only", "argmax": "all five classes"}
_MINUS = "−"  # as wide as +, so signed columns line up


def is_known(value: float | None) -> bool:
    """Whether there is a finite number to show."""
    return value is not None and math.isfinite(value)


def score(mean: float | None, deviation: float | None = None, n: int | None = None) -> str:
    """A mean IoU (0–1): "0.712", with repeats "0.712 ± 0.008 (n = 3)"."""
    if mean is None or not is_known(mean):
        return UNKNOWN
    text = f"{mean:.3f}"
    if n is None or n < 2 or deviation is None or not is_known(deviation):
        return text
    return f"{text} ± {deviation:.3f} (n = {n})"


def points(difference: float | None) -> str:
    """A difference of two scores (0–1 scale) in signed hundredths: "+1.4 points"."""
    if difference is None or not is_known(difference):
        return UNKNOWN
    return f"{signed(difference * 100, 1)} points"


def signed(value: float | None, decimals: int = 1) -> str:
    """A number with its sign: "+1.4", "−0.3", and "0.0" for what rounds to nothing."""
    if value is None or not is_known(value):
        return UNKNOWN
    text = f"{abs(value):.{decimals}f}"
    if not float(text):
        return text
    return f"{'+' if value > 0 else _MINUS}{text}"


def percent(share: float | None, decimals: int | None = None) -> str:
    """A share (0–1): "35.6 %", with two decimals below one percent so that rare classes show."""
    if share is None or not is_known(share):
        return UNKNOWN
    value = share * 100
    if decimals is None:
        decimals = 2 if 0 < abs(value) < 1 else 1
    return f"{value:.{decimals}f} %"


def count(value: float | None) -> str:
    """A whole number with thousands separated: "2,505"."""
    if value is None or not is_known(value):
        return UNKNOWN
    return f"{round(value):,}"


def compact(value: float | None) -> str:
    """A large number in three digits: "482 k", "1.94 M", "3.1 G"."""
    if value is None or not is_known(value):
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size * 0.9995:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """A time span: "0.8 s", "42 s", "12 min 30 s", "3 h 5 min", "2 d 4 h"."""
    if seconds is None or not is_known(seconds) or seconds < 0:
        return UNKNOWN
    if seconds < 0.1:
        return "under 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, below, below_size in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            rest = whole % size // below_size
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


def time_left(seconds: float | None) -> str:
    """An estimate, as rough as it is: "about 4 min left", "less than a minute left"."""
    if seconds is None or not is_known(seconds) or seconds < 0:
        return UNKNOWN
    if seconds < 50:
        return "less than a minute left"
    return f"{about(seconds)} left"


def about(seconds: float | None) -> str:
    """A predicted time span in its coarsest useful unit: "about 40 s", "about 12 min", "about 1.5 h"."""
    if seconds is None or not is_known(seconds) or seconds < 0:
        return UNKNOWN
    if seconds < 55:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    if seconds < 36 * 3600:
        return f"about {seconds / 3600:.1f} h".replace(".0 h", " h")
    return f"about {seconds / 86400:.1f} days".replace(".0 days", " days")


def size(n_bytes: float | None) -> str:
    """A file or memory size in decimal units: "512 B", "75.0 MB", "1.2 GB"."""
    if n_bytes is None or not is_known(n_bytes):
        return UNKNOWN
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.95:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def rate(per_second: float | None, unit: str = "images") -> str:
    """A throughput: "42 images/s", with a decimal below ten."""
    if per_second is None or not is_known(per_second):
        return UNKNOWN
    return f"{per_second:.{1 if per_second < 9.95 else 0}f} {unit}/s"


def _three_digits(value: float) -> str:
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{decimals}f}"
