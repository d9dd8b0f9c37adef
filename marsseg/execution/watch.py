"""What a scheduler knows about one worker: whether it lives, why it ended, and what is due."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Callable

from marsseg.execution.clocks import Deadlines, Unchanged
from marsseg.execution.judging import Observer, Verdict, judge
from marsseg.execution.memory import OomCounter, find_oom_kill
from marsseg.execution.processes import end_orphans, is_suspended, signal_group
from marsseg.identity import ProcessIdentity, is_alive, same_boot
from marsseg.store.records import RunRecord

logger = logging.getLogger(__name__)

_HINTS: dict[int, str] = {
    signal.SIGKILL: ", often because memory ran out",
    signal.SIGBUS: ", as happens when a file of its dataset is cut short while it trains; `python -m marsseg "
    "db check` looks at all of them",
}

Guard = Callable[[], None]
"""Called before any signal; raises StateError when this process is the scheduler no longer."""


class Watch:
    """One worker under observation.

    Args:
        identity: the worker's process; None if it was never seen, as after a launch that died at once.
        guard: asked right before any signal.
        child: the worker if this scheduler launched it; its exit code is known only then.
        kills: the counter of kills for memory, as it stood before the launch.
    """

    def __init__(
        self,
        run_id: str,
        token: str,
        identity: ProcessIdentity | None,
        guard: Guard,
        *,
        child: subprocess.Popen[bytes] | None = None,
        kills: OomCounter | None = None,
    ) -> None:
        self.run_id = run_id
        self.token = token
        self.verdict: Verdict | None = None
        self._identity = identity
        self._guard = guard
        self._child = child
        self._kills = kills or OomCounter()
        self._observer = Observer()
        self._ending = Ending(identity, guard)
        self._leaving = Unchanged()

    def is_gone(self) -> bool:
        """Whether the process has ended; reaps it if it is a child."""
        if self._child is not None:
            return self._child.poll() is not None
        return self._identity is None or not is_alive(self._identity)

    @property
    def was_launched(self) -> bool:
        """Whether there ever was a process, as far as anybody knows."""
        return self._child is not None or self._identity is not None

    def cause_of_end(self, last_words: str) -> str:
        """Why the process is gone, for a person; `last_words` is the end of its log."""
        if self._identity is not None and not same_boot(self._identity):
            return "The machine was restarted while the run was active."
        code = self._child.returncode if self._child else None
        if self._identity is not None and code in {None, -signal.SIGKILL}:
            out_of_memory = find_oom_kill(self._identity, self._kills)
            if out_of_memory:
                return out_of_memory.sentence()
        if code is not None:
            return describe_exit(code, last_words)
        assert self._identity is not None, "what was never launched has no end"
        return (
            f"The worker (process {self._identity.pid}) is gone without a last word: killed or crashed. "
            "Its exit code is unknown, as an earlier scheduler had launched it."
        )

    def clear_up(self) -> None:
        """End what the gone worker left behind."""
        if self._identity is None:
            return
        self._guard()
        orphans = end_orphans(self._identity)
        if orphans:
            logger.warning("run %s: ended %d processes that its worker left behind", self.run_id, orphans)

    def enforce(
        self, run: RunRecord, at: float, deadlines: Deadlines, announce: Callable[[Verdict], bool]
    ) -> None:
        """Look at a living worker, and end one that is past a deadline; `at` is the awake clock.

        Args:
            announce: hears why, before the first signal; False if the worker has had its last word by now.
        """
        identity = self._identity
        if identity is None:
            return
        self._kills.look(identity.pid, at)
        standstill = self._observer.measure(run, at, deadlines, lambda: is_suspended(identity))
        if self.verdict is None:
            verdict = judge(run, standstill, deadlines)
            self.verdict = verdict if verdict and announce(verdict) else None
        if self.verdict:
            self._ending.step(at, deadlines.kill)

    def enforce_leaving(self, at: float, deadlines: Deadlines) -> None:
        """End a worker that has had its last word and does not exit."""
        if self._leaving.seconds(True, at) >= deadlines.leave:
            self._ending.step(at, deadlines.kill)


class Ending:
    """Ends a worker's process group over several rounds: SIGTERM first, SIGKILL when that was ignored."""

    def __init__(self, identity: ProcessIdentity | None, guard: Guard) -> None:
        self._identity = identity
        self._guard = guard
        self._asked_at: float | None = None

    def step(self, at: float, kill_after: float) -> None:
        """Do what is due at a reading of the awake clock."""
        if self._asked_at is None:
            self._send(signal.SIGTERM)
            self._asked_at = at
        elif at - self._asked_at >= kill_after:
            self._send(signal.SIGKILL)

    def _send(self, signum: signal.Signals) -> None:
        if self._identity is None:
            return
        self._guard()
        logger.warning("process %d: %s", self._identity.pid, signum.name)
        signal_group(self._identity, signum)


def describe_exit(code: int, last_words: str) -> str:
    """An exit code as `Popen` gives it, in a sentence."""
    if code >= 0:
        quoted = f": {last_words}" if last_words else "."
        return f"The worker ended with exit code {code} and without a last word{quoted}"
    number = -code
    try:
        name = f" ({signal.Signals(number).name})"
    except ValueError:
        name = ""
    return f"The worker was killed by signal {number}{name}{_HINTS.get(number, '')}."
