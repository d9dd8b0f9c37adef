"""The process that starts queued runs and tells the truth about those whose worker can no longer speak.

`python -m marsseg.execution.scheduler` serves one store until nothing has been queued or active for a
while. Workers outlive it: the next scheduler adopts them.
"""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

from marsseg.errors import MarsSegError
from marsseg.execution.clocks import AwakeClock, Deadlines, Unchanged
from marsseg.execution.devices import slot_count
from marsseg.execution.launch import (
    WORKER_MODULE,
    find_worker,
    last_log_line,
    launch_worker,
    scheduler_log,
)
from marsseg.execution.lease import SchedulerLease
from marsseg.execution.watch import Watch
from marsseg.identity import identify
from marsseg.settings import Settings, load_settings
from marsseg.store import RunStore
from marsseg.store.records import ACTIVE, RunRecord, RunStatus

logger = logging.getLogger(__name__)


class Scheduler:
    """One per store. `initialize`, then `tick` until it returns False, then `shutdown`.

    Args:
        worker_module: what `python -m` runs for a run id.
    """

    def __init__(
        self,
        settings: Settings,
        store: RunStore,
        *,
        deadlines: Deadlines | None = None,
        worker_module: str = WORKER_MODULE,
    ) -> None:
        self._settings = settings
        self._store = store
        self._deadlines = deadlines or Deadlines()
        self._worker_module = worker_module
        self._lease = SchedulerLease(store, self._deadlines.lease)
        self._clock = AwakeClock(longest_step=10 * self._deadlines.interval)
        self._is_idle = Unchanged()
        self._watches: dict[str, Watch] = {}
        self._leaving: list[Watch] = []
        self._stop = threading.Event()
        self._signal: int | None = None

    def initialize(self, now: float) -> bool:
        """Become the scheduler of the store; False if another one is."""
        return self._lease.acquire(now)

    def tick(self, now: float) -> bool:
        """Do one round; False when this scheduler is done: another has taken over, or nothing is left to do.

        Args:
            now: seconds since the epoch.
        """
        awake = self._clock.advance(now)
        if not self._lease.hold(now):
            logger.warning("Another scheduler has taken over; stepping back.")
            return False
        active = self._observe(awake)
        self._see_off(active, awake)
        launched = self._launch_queued()
        is_idle = not (active or launched or self._leaving or self._store.queue())
        if self._is_idle.seconds(is_idle, awake) < self._deadlines.idle or not is_idle:
            return True
        return self._has_more_after_release(now)

    def run(self) -> None:
        """Tick until done, told to stop, or signalled; a store that refuses for a moment is asked again."""
        refused = 0.0
        while not self._is_told_to_stop() and refused <= self._deadlines.idle:
            try:
                if not self.tick(time.time()):
                    return
                refused = 0.0
            except MarsSegError as error:
                logger.error("%s", error)
                refused += self._deadlines.interval
            self._stop.wait(self._deadlines.interval)

    def stop(self) -> None:
        """Make `run` return soon; workers go on. For other threads: signals have `set_on_signals`."""
        self._stop.set()

    def set_on_signals(self) -> None:
        """Let SIGTERM and SIGINT end `run`; only a flag is set in the handler.

        An event would not do: its lock may be held by the very thread that the handler interrupts.
        """
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._remember_signal)

    def shutdown(self) -> None:
        """Give the lease up. Workers go on; the next scheduler adopts them."""
        for watch in (*self._watches.values(), *self._leaving):
            watch.is_gone()  # reaps
        try:
            self._lease.release()
        except MarsSegError as error:
            logger.error("The lease could not be given up and will expire. %s", error)

    def _is_told_to_stop(self) -> bool:
        return self._stop.is_set() or self._signal is not None

    def _remember_signal(self, signum: int, _frame: FrameType | None) -> None:
        self._signal = signum

    def _observe(self, awake: float) -> dict[str, RunRecord]:
        """Look after every active run; returns those that still are, by id."""
        active = {run.id: run for run in self._store.list_runs(statuses=ACTIVE)}
        for run in list(active.values()):
            watch = self._watch_of(run)
            if watch.is_gone():
                self._bury(watch)
                del active[run.id]
            else:
                watch.enforce(run, awake, self._deadlines)
        return active

    def _watch_of(self, run: RunRecord) -> Watch:
        """The watch on a run's current launch; one that an earlier scheduler launched is adopted."""
        watch = self._watches.get(run.id)
        if watch and watch.token == run.token:
            return watch
        if watch:
            self._leaving.append(watch)
        token = run.token or ""
        identity = run.process or find_worker(run.id, token)
        logger.info("run %s: adopted, process %s", run.id, identity.pid if identity else "not found")
        watch = self._watches[run.id] = Watch(run.id, token, identity)
        return watch

    def _bury(self, watch: Watch) -> None:
        """Say what became of a worker that ended without a last word (no effect if it left one)."""
        del self._watches[watch.run_id]
        watch.clear_up()
        reason = watch.cause_of_end(last_log_line(self._settings, watch.run_id))
        if self._store.mark_lost(watch.run_id, watch.token, reason):
            logger.warning("run %s: lost. %s", watch.run_id, reason)

    def _see_off(self, active: dict[str, RunRecord], awake: float) -> None:
        """Reap workers that have had their last word, and hurry those that do not leave."""
        for run_id in [run_id for run_id in self._watches if run_id not in active]:
            self._leaving.append(self._watches.pop(run_id))
        for watch in list(self._leaving):
            if watch.is_gone():
                watch.clear_up()
                self._leaving.remove(watch)
            else:
                watch.enforce_leaving(awake, self._deadlines)

    def _launch_queued(self) -> int:
        """Fill the free slots from the queue; returns how many runs that were."""
        launched = 0
        while claim := self._store.claim_next(slot_count(self._settings), lease=self._lease.current):
            run, token = claim
            self._launch(run, token)
            launched += 1
        return launched

    def _launch(self, run: RunRecord, token: str) -> None:
        try:
            child = launch_worker(self._settings, run.id, token, module=self._worker_module)
        except OSError as error:
            reason = f"The worker could not be launched ({error}). Mend that, then resume the run."
            self._store.finish(run.id, token, RunStatus.FAILED, reason)
            logger.error("run %s: %s", run.id, reason)
            return
        self._watches[run.id] = Watch(run.id, token, identify(child.pid, token), child)
        logger.info("run %s: launched as process %d", run.id, child.pid)

    def _has_more_after_release(self, now: float) -> bool:
        """Give the lease up; take it again if a run was queued by someone who still saw us alive."""
        self._lease.release()
        if self._store.queue() and self._lease.acquire(now):
            return True
        logger.info("Nothing to do for %g seconds; ending.", self._deadlines.idle)
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the store of the environment's settings until there is nothing left to do."""
    options = _parse(arguments)
    settings = load_settings()
    _log_to_file(settings)
    deadlines = replace(Deadlines(), idle=options.idle_seconds, interval=options.interval_seconds)
    scheduler = Scheduler(
        settings, RunStore.open(settings), deadlines=deadlines, worker_module=options.worker_module
    )
    scheduler.set_on_signals()
    if not scheduler.initialize(time.time()):
        logger.info("Another scheduler serves %s; stepping back.", settings.home)
        return 0
    logger.info("Process %d schedules the runs of %s.", os.getpid(), settings.home)
    try:
        scheduler.run()
    finally:
        scheduler.shutdown()
        logger.info("Process %d no longer schedules.", os.getpid())
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = Deadlines()
    parser = argparse.ArgumentParser(prog="python -m marsseg.execution.scheduler", description=__doc__)
    parser.add_argument("--idle-seconds", type=float, default=usual.idle, help="end when idle for so long")
    parser.add_argument("--interval-seconds", type=float, default=usual.interval, help="between two rounds")
    parser.add_argument("--worker-module", default=WORKER_MODULE, help="what `python -m` runs for a run id")
    return parser.parse_args(arguments)


def _log_to_file(settings: Settings) -> None:
    path = scheduler_log(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=1_000_000, backupCount=2)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler]
    )


if __name__ == "__main__":
    sys.exit(main())
