"""What a scheduler knows about one worker: whether it lives, and what is due when it does not move."""

from __future__ import annotations

import logging
import signal
import subprocess

from marsseg.execution.clocks import Deadlines, Unchanged
from marsseg.execution.processes import end_orphans, is_alive, same_boot, signal_group
from marsseg.identity import ProcessIdentity
from marsseg.store.records import RunRecord

logger = logging.getLogger(__name__)


class Watch:
    """One worker under observation.

    Args:
        child: the worker if this scheduler launched it; its exit code is known only then.
        identity: the worker's process; None if it was never seen, as after a launch that died at once.
    """

    def __init__(
        self,
        run_id: str,
        token: str,
        identity: ProcessIdentity | None,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.run_id = run_id
        self.token = token
        self._identity = identity
        self._child = child
        self._seen = Seen()
        self._verdict = ""
        self._ending = Ending(identity)
        self._leaving = Unchanged()

    def is_gone(self) -> bool:
        """Whether the process has ended; reaps it if it is a child."""
        if self._child is not None:
            return self._child.poll() is not None
        return self._identity is None or not is_alive(self._identity)

    def cause_of_end(self, last_words: str) -> str:
        """Why the process is gone, for a person; `last_words` is the end of its log."""
        if self._verdict:
            return self._verdict
        if self._child is not None and self._child.returncode is not None:
            return describe_exit(self._child.returncode, last_words)
        if self._identity is None:
            return "The scheduler ended before it could launch the worker. Resume the run to try again."
        if not same_boot(self._identity):
            return "The machine was restarted while the run was active."
        return (
            f"The worker (process {self._identity.pid}) is gone without a last word: killed or crashed. "
            "Its exit code is unknown, as an earlier scheduler had launched it."
        )

    def clear_up(self) -> None:
        """End what the gone worker left behind."""
        orphans = end_orphans(self._identity) if self._identity else 0
        if orphans:
            logger.warning("run %s: ended %d processes that its worker left behind", self.run_id, orphans)

    def enforce(self, run: RunRecord, at: float, deadlines: Deadlines) -> None:
        """Note a silent worker, and end one that is past a deadline; `at` is the awake clock."""
        self._verdict = self._verdict or self._seen.judge(run, at, deadlines)
        if self._verdict:
            self._ending.step(at, deadlines.kill)

    def enforce_leaving(self, at: float, deadlines: Deadlines) -> None:
        """End a worker that has had its last word and does not exit."""
        if self._leaving.seconds(True, at) >= deadlines.leave:
            self._ending.step(at, deadlines.kill)


class Seen:
    """For how long which signs of life of one run have stayed the same."""

    def __init__(self) -> None:
        self._reported = Unchanged()
        self._heartbeat = Unchanged()
        self._progress = Unchanged()
        self._stop_requested = Unchanged()
        self._is_silent = False
        self._awakenings = 0

    def judge(self, run: RunRecord, at: float, deadlines: Deadlines) -> str:
        """The sentence that ends the run, or an empty one."""
        unreported = self._reported.seconds(run.process, at)
        asked = self._stop_requested.seconds(run.stop_requested, at)
        self._listen(run, at, deadlines.heartbeat)
        unmoved = self._progress.seconds((run.progress_at, self._awakenings), at)
        if run.process is None:
            if unreported < deadlines.report:
                return ""
            return f"The worker did not report within {span(deadlines.report)} of its launch, and was ended."
        if run.stop_requested and min(asked, unmoved) >= deadlines.stop:
            return f"The worker did not stop within {span(deadlines.stop)} of being asked, and was ended."
        if unmoved >= deadlines.progress and not self._is_silent:
            phase = f" while {run.progress.phase}" if run.progress else ""
            return f"No progress for {span(deadlines.progress)}{phase}; the worker was ended."
        return ""

    def _listen(self, run: RunRecord, at: float, deadline: float) -> None:
        """Note when a worker whose process lives falls silent, as a suspended one does, and when it wakes.

        The deadline for progress starts anew then: nobody works while suspended.
        """
        silent = self._heartbeat.seconds(run.heartbeat_at, at) >= deadline
        if silent and not self._is_silent:
            logger.warning("run %s: no heartbeat for %s, but its process lives", run.id, span(deadline))
        if self._is_silent and not silent:
            logger.info("run %s: its heartbeat is back", run.id)
            self._awakenings += 1
        self._is_silent = silent


class Ending:
    """Ends a worker's process group over several rounds: SIGTERM first, SIGKILL when that was ignored."""

    def __init__(self, identity: ProcessIdentity | None) -> None:
        self._identity = identity
        self._asked_at: float | None = None

    def step(self, at: float, kill_after: float) -> None:
        """Do what is due at a reading of the awake clock."""
        if self._identity is None:
            return
        if self._asked_at is None:
            self._asked_at = at
            logger.warning("process %d: SIGTERM", self._identity.pid)
            signal_group(self._identity, signal.SIGTERM)
        elif at - self._asked_at >= kill_after:
            logger.warning("process %d: SIGKILL", self._identity.pid)
            signal_group(self._identity, signal.SIGKILL)


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
    hint = ", often because memory ran out" if number == signal.SIGKILL else ""
    return f"The worker was killed by signal {number}{name}{hint}."


def span(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 120:
        return f"{seconds:g} seconds"
    return f"{seconds / 60:.0f} minutes"
