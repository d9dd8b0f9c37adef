"""Which state a run may go to from which, and the sentence for when it may not."""

from __future__ import annotations

from collections.abc import Mapping

from marsseg.errors import StateError
from marsseg.store.records import RunStatus

NEXT: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.STARTING, RunStatus.STOPPED}),
    RunStatus.STARTING: frozenset(
        {RunStatus.RUNNING, RunStatus.STOPPING, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST}
    ),
    RunStatus.RUNNING: frozenset(
        {RunStatus.STOPPING, RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST}
    ),
    RunStatus.STOPPING: frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.STOPPED: frozenset({RunStatus.QUEUED}),
    RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
    RunStatus.LOST: frozenset({RunStatus.QUEUED}),
}

_ADVICE = {
    RunStatus.QUEUED: "wait for its turn, or stop it",
    RunStatus.STARTING: "stop it first",
    RunStatus.RUNNING: "stop it first",
    RunStatus.STOPPING: "wait for it to end",
    RunStatus.COMPLETED: "extend it or start a new run",
    RunStatus.STOPPED: "resume it or start a new run",
    RunStatus.FAILED: "resume it or start a new run",
    RunStatus.LOST: "resume it or start a new run",
}


def require_transition(run_id: str, current: RunStatus, target: RunStatus) -> None:
    """Refuse an illegal step.

    Raises:
        StateError: `target` does not follow `current`.
    """
    if target not in NEXT[current]:
        raise refusal(run_id, current, f"cannot become {target}")


def refusal(run_id: str, current: RunStatus, what: str, advice: str = "") -> StateError:
    """The error that says where a run stands, what that rules out, and what to do: the usual, or `advice`."""
    return StateError(f"Run {run_id} is {current} and {what}; {advice or _ADVICE[current]}.")
