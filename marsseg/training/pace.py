"""How fast training goes and how long it will take: arithmetic on durations, no clock inside."""

from __future__ import annotations

import statistics
from collections import deque

WINDOW = 20


class Pace:
    """Speed over the last steps and over the current epoch.

    Args:
        batch_size: tiles a step.
        steps: steps an epoch.
    """

    def __init__(self, batch_size: int, steps: int) -> None:
        self.batch_size = batch_size
        self.steps = steps
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._epoch_seconds: list[float] = []
        self._between_epochs = 0.0
        self._first: float | None = None

    def step_took(self, seconds: float) -> None:
        """Note a step. The first one of a process builds the graph and says nothing about speed."""
        if self._first is None:
            self._first = seconds
            return
        self._recent.append(seconds)
        self._epoch_seconds.append(seconds)

    def epoch_ended(self, seconds_after_last_step: float) -> float:
        """Note how long validation and saving took; return the epoch's training tiles a second."""
        rate = self._rate(self._epoch_seconds) or self._rate([self._first or 0.0]) or 0.0
        self._between_epochs = seconds_after_last_step
        self._epoch_seconds = []
        return rate

    @property
    def has_begun(self) -> bool:
        """Whether the first step of this process, which builds the graph, is done."""
        return self._first is not None

    @property
    def step_seconds(self) -> float | None:
        """Median time of the last steps; None before the second step."""
        return statistics.median(self._recent) if self._recent else None

    @property
    def images_per_second(self) -> float | None:
        """Training tiles a second over the last steps; None before the second step."""
        return self._rate(self._recent)

    def seconds_left(self, step: int, epochs_after_this: int) -> float | None:
        """Estimate the time until the last epoch ends, `step` steps into the current one."""
        if not self._recent:
            return None
        steps = self.steps - step + epochs_after_this * self.steps
        return steps * sum(self._recent) / len(self._recent) + (epochs_after_this + 1) * self._between_epochs

    def _rate(self, seconds: deque[float] | list[float]) -> float | None:
        total = sum(seconds)
        return self.batch_size * len(seconds) / total if total > 0 else None
