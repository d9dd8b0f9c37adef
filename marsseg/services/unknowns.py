"""How documents for scripts say that a number is unknown: JSON has no NaN."""

from __future__ import annotations

import math


def none_if_unknown(value: float | None) -> float | None:
    """The number as it is; None, which becomes `null`, for NaN."""
    return None if value is None or math.isnan(value) else value
