"""Many at one store: `python -m tests.execution.crowd SECONDS` prints what became of all of them.

Submitters queue runs and change those that wait; schedulers are started, left to serve for a while, ended
or killed, and started again. All are processes of their own, forked, as Python takes so long to start.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from marsseg.execution import scheduler
from marsseg.settings import Settings, load_settings
from marsseg.store import RunStore
from tests.execution.submitter import Submitter

SCHEDULERS = 4
SUBMITTERS = 8
QUICK = [
    *("--idle-seconds", "0.5"),
    *("--interval-seconds", "0.02"),
    *("--worker-module", "tests.execution.quick_worker"),
]


class SchedulerPlace:
    """One scheduler after the other."""

    def __init__(self, number: int) -> None:
        self._chance = random.Random(number)
        self._pid = 0
        self._until = 0.0
        self.ends: list[int] = []

    def look(self) -> None:
        """Do what is due: start one, end the one that is there, or notice that it has ended."""
        is_due = time.monotonic() >= self._until
        if self._pid == 0 and is_due:
            self._pid = fork(lambda: scheduler.main(QUICK))
            self._until = time.monotonic() + self._chance.uniform(0.1, 2)
        elif self._pid and self._has_ended():
            self._pid = 0
            self._until = time.monotonic() + self._chance.uniform(0, 0.5)
        elif self._pid and is_due:
            os.kill(self._pid, self._chance.choice([signal.SIGKILL, signal.SIGTERM]))

    def close(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
            self.ends.append(os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]))

    def _has_ended(self) -> bool:
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            self.ends.append(os.waitstatus_to_exitcode(status))
        return bool(pid)


def fork(work: Callable[[], int]) -> int:
    """Do something in a child, which ends thereby; returns its pid."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            status = work()
        finally:
            os._exit(status)
    return pid


def submit(settings: Settings, number: int, seconds: float) -> int:
    """Work as a submitter; its report is a file in the home. Whatever the store refuses ends it with a 70."""
    submitter = Submitter(f"submitter {number}", RunStore.open(settings))
    submitter.work(seconds)
    (settings.home / f"report {number}").write_text(json.dumps(submitter.report()))
    return 0


def main(seconds: float) -> dict[str, Any]:
    settings = load_settings()
    submitters = {fork(lambda n=n: submit(settings, n, seconds)) for n in range(SUBMITTERS)}
    places = [SchedulerPlace(number) for number in range(SCHEDULERS)]
    statuses = []
    while submitters:
        for place in places:
            place.look()
        for pid in list(submitters):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                submitters.remove(pid)
                statuses.append(status)
        time.sleep(0.01)
    for place in places:
        place.close()
    return {"submitters": statuses, "schedulers": [end for place in places for end in place.ends]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(float(sys.argv[1]))))
