"""What a scheduler does, round after round: it starts queued runs and looks after those that are active.

It tells the truth about those whose worker can no longer speak. Workers outlive it: the next one adopts them.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import partial

from marsseg.errors import MarsSegError, StateError, UnusableStoreError
from marsseg.execution.clocks import AwakeClock, Deadlines, Unchanged
from marsseg.execution.devices import Gpu, list_gpus, slot_count, threads_per_run
from marsseg.execution.judging import Verdict
from marsseg.execution.launch import (
    WORKER_MODULE,
    find_worker,
    last_log_line,
    launch_worker,
    living_workers,
)
from marsseg.execution.lease import SchedulerLease
from marsseg.execution.memory import OomCounter
from marsseg.execution.stopping import StopFlag
from marsseg.execution.watch import Watch
from marsseg.identity import identify, is_alive
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import ACTIVE, RunRecord, RunStatus

logger = logging.getLogger(__name__)


class End(Enum):
    """Why a scheduler no longer serves."""

    IDLE = "nothing was left to do"
    TOLD = "it was told to"
    REPLACED = "another one has taken over"


class Scheduler:
    """One per store. `initialize`, then `tick` until it returns False, then `shutdown`.

    Args:
        worker_module: what `python -m` runs for a run id.
        gpus: the GPUs to share out; those of this machine by default.
        stop: ends `run`.
    """

    def __init__(
        self,
        settings: Settings,
        store: RunStore,
        *,
        deadlines: Deadlines | None = None,
        worker_module: str = WORKER_MODULE,
        gpus: Sequence[Gpu] | None = None,
        stop: StopFlag | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._deadlines = deadlines or Deadlines()
        self._worker_module = worker_module
        self._gpus = list_gpus() if gpus is None else gpus
        self._stop = stop or StopFlag()
        self._slots = slot_count(settings, self._gpus)
        self._threads = threads_per_run(settings, self._gpus)
        self._lease = SchedulerLease(store, self._deadlines.lease, self._slots)
        self._clock = AwakeClock(longest_step=10 * self._deadlines.interval)
        self._is_idle = Unchanged()
        self._watches: dict[str, Watch] = {}
        self._leaving: list[Watch] = []
        self._is_done = False

    def initialize(self, now: float) -> bool:
        """Become the scheduler of the store; False if another one is."""
        if not self._lease.acquire(now):
            return False
        self._leaving += self._find_leaving()
        return True

    def tick(self, now: float) -> bool:
        """Do one round; False when this scheduler is done: another has taken over, or nothing is left to do.

        One that finds out in the middle of a round that it lost its lease does nothing more.

        Args:
            now: seconds since the epoch.
        """
        awake = self._clock.advance(now)
        try:
            if self._lease.hold(now):
                return self._do_round(now, awake)
        except StateError:
            if self._lease.is_held():
                raise
        logger.warning("Another scheduler has taken over; stepping back.")
        return False

    def run(self) -> End:
        """Tick until done, or told to stop; a store that refuses for a moment is asked again.

        Raises:
            UnusableStoreError: the store is damaged or was moved; asking again would not help.
            MarsSegError: the store went on refusing.
        """
        refused_at: float | None = None
        while not self._stop.is_set():
            try:
                if not self.tick(time.time()):
                    return End.IDLE if self._is_done else End.REPLACED
                refused_at = None  # what was refused has been written by now: each round tries it again
            except UnusableStoreError:
                raise
            except MarsSegError as error:
                logger.error("%s", error)
                refused_at = refused_at or time.monotonic()
                if time.monotonic() - refused_at > self._deadlines.refusal:
                    raise
            time.sleep(self._deadlines.interval)
        return End.TOLD

    def shutdown(self) -> None:
        """Give the lease up. Workers go on; the next scheduler adopts them."""
        for watch in (*self._watches.values(), *self._leaving):
            watch.is_gone()  # reaps
        try:
            self._lease.release()
        except MarsSegError as error:
            logger.error("The lease could not be given up and will expire. %s", error)

    def _do_round(self, now: float, awake: float) -> bool:
        active = self._observe(awake)
        self._see_off(active, awake)
        launched = self._launch_queued(awake)
        is_idle = not (active or launched or self._leaving or self._store.queue())
        if self._is_idle.seconds(is_idle, awake) < self._deadlines.idle or not is_idle:
            return True
        return self._has_more_after_release(now)

    def _observe(self, awake: float) -> dict[str, RunRecord]:
        """Look after every active run; returns those that still are, by id."""
        active = {run.id: run for run in self._store.list_runs(statuses=ACTIVE)}
        for run in list(active.values()):
            watch = self._watch_of(run)
            if watch.is_gone():
                self._bury(watch)
                del active[run.id]
            else:
                watch.enforce(run, awake, self._deadlines, partial(self._announce, watch))
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
        watch = self._watches[run.id] = Watch(run.id, token, identity, self._lease.require)
        return watch

    def _bury(self, watch: Watch) -> None:
        """Say what became of a worker that ended without a last word (no effect if it left one)."""
        watch.clear_up()
        if watch.verdict:
            self._pronounce(watch, watch.verdict)
        elif not watch.was_launched:
            status = self._store.release_claim(watch.run_id, watch.token, lease=self._lease.current)
            logger.warning("run %s: claimed, but no worker reported; now %s", watch.run_id, status)
        else:
            reason = watch.cause_of_end(last_log_line(self._settings, watch.run_id))
            if self._store.mark_lost(watch.run_id, watch.token, reason, lease=self._lease.current):
                logger.warning("run %s: lost. %s", watch.run_id, reason)
        del self._watches[watch.run_id]

    def _announce(self, watch: Watch, verdict: Verdict) -> bool:
        """Put down why a worker is about to be ended; False if the run is not its any more."""
        try:
            self._store.note_overdue(watch.run_id, watch.token, verdict.notice, lease=self._lease.current)
        except StateError:
            self._lease.require()
            return False
        logger.warning("run %s: %s", watch.run_id, verdict.notice)
        return True

    def _pronounce(self, watch: Watch, verdict: Verdict) -> None:
        """Speak the last word for a worker that we have ended."""
        reason = verdict.reason
        if verdict.status is RunStatus.STOPPED:
            reason = f"{reason} {self._resume_hint(watch.run_id)}"
        try:
            self._store.finish(watch.run_id, watch.token, verdict.status, reason, lease=self._lease.current)
        except StateError:
            self._lease.require()
            logger.info("run %s: its worker has had the last word", watch.run_id)
        else:
            logger.warning("run %s: %s. %s", watch.run_id, verdict.status, reason)

    def _resume_hint(self, run_id: str) -> str:
        epochs = self._store.list_epochs(run_id)
        if not epochs:
            return "No epoch was completed, so a resume begins anew."
        return f"It can be resumed from epoch {epochs[-1].epoch}."

    def _find_leaving(self) -> Iterator[Watch]:
        """Watches on workers that an earlier scheduler launched, and whose run is finished.

        Starting from the processes keeps this quick however many runs have finished.
        """
        for run_id in {argument for argument, _ in living_workers()}:
            run = self._store.find_by_id(run_id)
            if run and run.status.is_finished and run.process and is_alive(run.process):
                logger.info("run %s: finished, but its process %d has not left", run.id, run.process.pid)
                yield Watch(run.id, run.process.token, run.process, self._lease.require)

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

    def _launch_queued(self, awake: float) -> int:
        """Fill the free slots from the queue; returns how many runs that were."""
        launched = 0
        while claim := self._claim():
            self._launch(*claim, awake)
            launched += 1
        return launched

    def _claim(self) -> tuple[RunRecord, str] | None:
        return self._store.claim_next(
            self._slots,
            lease=self._lease.current,
            threads=self._threads,
            gpus=[gpu.id for gpu in self._gpus],
        )

    def _launch(self, run: RunRecord, token: str, awake: float) -> None:
        kills = OomCounter()
        kills.look(os.getpid(), awake)  # a child begins in the group of its parent
        self._lease.require()
        try:
            child = launch_worker(
                self._settings,
                run.id,
                token,
                threads=run.threads or self._threads,
                gpu=run.gpu,
                module=self._worker_module,
            )
        except OSError as error:
            reason = f"The worker could not be launched ({error}). Mend that, then let the run go on."
            self._store.finish(run.id, token, RunStatus.FAILED, reason, lease=self._lease.current)
            logger.error("run %s: %s", run.id, reason)
            return
        identity = identify(child.pid, token)
        self._watches[run.id] = Watch(run.id, token, identity, self._lease.require, child=child, kills=kills)
        logger.info("run %s: launched as process %d", run.id, child.pid)

    def _has_more_after_release(self, now: float) -> bool:
        """Give the lease up; take it again if a run was queued by someone who still saw us alive."""
        self._lease.release()
        if self._store.queue() and self._lease.acquire(now):
            return True
        logger.info("Nothing to do for %g seconds; ending.", self._deadlines.idle)
        self._is_done = True
        return False
