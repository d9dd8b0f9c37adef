"""A scheduler that stops itself (SIGSTOP) in the middle of a round: once it sees a run that is to stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterable

from marsseg.execution.clocks import Deadlines
from marsseg.execution.rounds import Scheduler
from marsseg.settings import load_settings
from marsseg.store import RunStore
from marsseg.store.records import RunRecord, RunStatus

LEASE_SECONDS = 1.5


class DrowsyStore(RunStore):
    """Falls asleep right after it has read what the round will act on."""

    def list_runs(self, *, statuses: Iterable[RunStatus] | None = None) -> list[RunRecord]:
        runs = super().list_runs(statuses=statuses)
        if any(run.stop_requested for run in runs):
            os.kill(os.getpid(), signal.SIGSTOP)
        return runs


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    settings = load_settings()
    scheduler = Scheduler(
        settings,
        DrowsyStore.open(settings),
        deadlines=Deadlines(interval=0.1, lease=LEASE_SECONDS, stop_now=0, leave=0),
        worker_module="tests.execution.small_worker",
        gpus=(),
    )
    assert scheduler.initialize(time.time())
    sys.stdout.write(f"ended: {scheduler.run().name}\n")
    scheduler.shutdown()
