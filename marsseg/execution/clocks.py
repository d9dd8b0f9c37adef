"""Deadlines, and a clock for them that neither a sleeping laptop nor a corrected system time can move."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How patient the scheduler is; all in seconds but `batch_medians`.

    Args:
        interval: wait between two rounds.
        lease: how long the scheduler's lease holds without being renewed.
        report: until a launched worker has to report that it runs.
        heartbeat: how old a heartbeat may grow before the deadlines for progress stop counting.
        progress: how long a beating worker may go without any progress.
        slow_progress: the same while a graph is built or a network exported, which are one step each.
        batch: while training, the least time that any batch is given.
        batch_medians: how many times the usual time a batch may take beyond that.
        life: how long a worker may go without a heartbeat although it is not suspended.
        stop: how long a worker that was asked to stop may go without any progress.
        stop_now: until a worker that was asked to stop at once has to be gone, whatever it does.
        kill: between the polite signal and the one that cannot be ignored.
        leave: how long a worker may take to exit after its last word.
        idle: with nothing queued or active, until the scheduler ends.
        refusal: how long the store may go on refusing, from the first time, before the scheduler gives up.
    """

    interval: float = 1.0
    lease: float = 15.0
    report: float = 120.0
    heartbeat: float = 5.0
    progress: float = 600.0
    slow_progress: float = 1200.0
    batch: float = 60.0
    batch_medians: float = 50.0
    life: float = 900.0
    stop: float = 600.0
    stop_now: float = 30.0
    kill: float = 10.0
    leave: float = 60.0
    idle: float = 60.0
    refusal: float = 60.0


class AwakeClock:
    """Seconds that the scheduler has been awake.

    Between two readings it moves by the time that passed, but never back and never by more than
    `longest_step`: hours spent suspended, or won and lost by setting the system's clock, count for
    nobody's deadline.
    """

    def __init__(self, longest_step: float) -> None:
        self._longest_step = longest_step
        self._last: float | None = None
        self._awake = 0.0

    def advance(self, now: float) -> float:
        """Take notice of the time `now` and return the seconds awake so far."""
        if self._last is not None:
            self._awake += min(max(0.0, now - self._last), self._longest_step)
        self._last = now
        return self._awake


class Unchanged:
    """For how long a value has stayed the same, by the awake clock."""

    def __init__(self) -> None:
        self._seen: tuple[object, float] | None = None

    def seconds(self, value: object, at: float) -> float:
        """Take notice of the value at a reading of the awake clock; 0 when it is new."""
        if self._seen is None or self._seen[0] != value:
            self._seen = (value, at)
        return at - self._seen[1]
