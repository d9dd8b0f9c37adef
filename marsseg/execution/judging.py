"""When a worker has to be ended, and the words for it: the deadlines of each phase and of a stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from marsseg.execution.clocks import Deadlines, Unchanged
from marsseg.store.records import Phase, Progress, RunRecord, RunStatus

logger = logging.getLogger(__name__)

_SLOW = frozenset({Phase.BUILDING, Phase.EXPORTING})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the scheduler ends a worker, and how its run ends thereby.

    Args:
        reason: the last word for a worker that has none.
        notice: what is put down before the worker is told, as it may still have one.
    """

    status: RunStatus
    reason: str
    notice: str


@dataclass(frozen=True, slots=True)
class Standstill:
    """For how long a worker has owed what it owes; seconds by the awake clock.

    Args:
        unreported: since its launch without a report that it runs.
        unmoved: without progress, counted up to its last heartbeat and anew after each silence.
        stuck: without progress, beating or not.
        lifeless: without a heartbeat and not suspended.
        asked: since it was asked to stop.
        hurried: since it was asked to stop at once.
    """

    unreported: float
    unmoved: float
    stuck: float
    lifeless: float
    asked: float
    hurried: float


class Observer:
    """Measures the standstill of one run's worker, round after round."""

    def __init__(self) -> None:
        self._heartbeat = Unchanged()
        self._progress = Unchanged()
        self._stuck = Unchanged()
        self._life = Unchanged()
        self._unreported = Unchanged()
        self._asked = Unchanged()
        self._hurried = Unchanged()
        self._is_silent = False
        self._awakenings = 0
        self._suspensions = 0

    def measure(
        self, run: RunRecord, at: float, deadlines: Deadlines, is_suspended: Callable[[], bool]
    ) -> Standstill:
        """Take notice of the run as it is now; `at` is the awake clock.

        Nobody works while suspended: the count of progress ends with the last heartbeat, and starts anew
        when one comes after a silence. Of a silent process it is asked whether it is suspended.
        """
        silence = self._heartbeat.seconds(run.heartbeat_at, at)
        self._listen(run, silence >= deadlines.heartbeat)
        if self._is_silent and is_suspended():
            self._suspensions += 1
        return Standstill(
            unreported=self._unreported.seconds((run.process, self._suspensions), at),
            unmoved=max(0.0, self._progress.seconds((run.progress_at, self._awakenings), at) - silence),
            stuck=self._stuck.seconds(run.progress_at, at),
            lifeless=self._life.seconds((run.heartbeat_at, self._suspensions), at),
            asked=self._asked.seconds(run.stop_requested, at),
            hurried=self._hurried.seconds(run.stop_now, at),
        )

    def _listen(self, run: RunRecord, is_silent: bool) -> None:
        """Note when a worker that has reported falls silent, as a suspended one does, and when it wakes."""
        if self._is_silent and not is_silent:
            self._awakenings += 1
        if run.process and is_silent != self._is_silent:
            what = "no heartbeat, but its process lives" if is_silent else "its heartbeat is back"
            logger.info("run %s: %s", run.id, what)
        self._is_silent = is_silent


def judge(run: RunRecord, standstill: Standstill, deadlines: Deadlines) -> Verdict | None:
    """Find a deadline that has passed; a run that a person had asked to stop is stopped by it, not failed."""
    fault = find_fault(run, standstill, deadlines)
    if not fault:
        return None
    notice = f"{fault}, so the scheduler told the worker to end."
    if run.stop_requested:
        return Verdict(RunStatus.STOPPED, f"{fault}; it was ended by force.", notice)
    return Verdict(RunStatus.FAILED, f"{fault}; the worker was ended.", notice)


def find_fault(run: RunRecord, standstill: Standstill, deadlines: Deadlines) -> str:
    """What a worker failed to do in time, as the beginning of a sentence; empty if nothing is due."""
    if run.stop_now and standstill.hurried >= deadlines.stop_now:
        return f"The worker did not end within {span(deadlines.stop_now)} of being asked to stop at once"
    if run.stop_requested and min(standstill.asked, standstill.stuck) >= deadlines.stop:
        return f"The worker did not stop within {span(deadlines.stop)} of being asked"
    if run.process is None:
        is_late = standstill.unreported >= deadlines.report
        return f"The worker did not report within {span(deadlines.report)} of its launch" if is_late else ""
    patience = phase_deadline(run.progress, deadlines)
    if standstill.unmoved >= patience:
        return f"No progress for {span(patience)}{_while(run.progress)}"
    if standstill.lifeless >= deadlines.life:
        return f"No sign of life for {span(deadlines.life)}{_while(run.progress)}, although its process lives"
    return ""


def phase_deadline(progress: Progress | None, deadlines: Deadlines) -> float:
    """How long a worker may go without progress in its phase, in seconds."""
    if progress is None:
        return deadlines.progress
    if progress.phase in _SLOW:
        return deadlines.slow_progress
    if progress.phase is Phase.TRAINING and progress.step_seconds is not None:
        return max(deadlines.batch, deadlines.batch_medians * progress.step_seconds)
    return deadlines.progress


def span(seconds: float) -> str:
    """A duration as people say it."""
    if seconds >= 120:
        return f"{seconds / 60:.0f} minutes"
    number = f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
    return f"{number} second{'' if number == '1' else 's'}"


def _while(progress: Progress | None) -> str:
    if progress is None:
        return ""
    usual = ""
    if progress.phase is Phase.TRAINING and progress.step_seconds is not None:
        usual = f", where a batch usually takes {span(progress.step_seconds)}"
    return f" while {progress.phase}{usual}"
