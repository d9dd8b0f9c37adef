"""The scheduler as a process: `python -m marsseg.execution.scheduler`, or `python -m marsseg scheduler`.

It serves one store until nothing has been queued or active for a while, it is told to end, or another one
has taken over.
"""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from marsseg.errors import MarsSegError
from marsseg.execution.clocks import Deadlines
from marsseg.execution.launch import WORKER_MODULE, leave_worker, scheduler_log
from marsseg.execution.lease import find_holder
from marsseg.execution.rounds import End, Scheduler
from marsseg.execution.stopping import StopFlag
from marsseg.settings import Settings, load_settings
from marsseg.store import RunStore
from marsseg.store.leases import SCHEDULER

logger = logging.getLogger(__name__)

_USUAL = Deadlines()


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How a scheduler process serves.

    Args:
        idle_seconds: it ends when idle for so long; infinity for never.
        interval_seconds: between two rounds.
        worker_module: what `python -m` runs for a run id.
        wait: stand by while another scheduler serves, instead of stepping back.
        to_stderr: say on stderr, too, what goes to the log file.
    """

    idle_seconds: float = _USUAL.idle
    interval_seconds: float = _USUAL.interval
    worker_module: str = WORKER_MODULE
    wait: bool = False
    to_stderr: bool = False


def serve(settings: Settings, options: ServeOptions) -> None:
    """Schedule the runs of a store; returns when idle, told to end, or stepping back for another one.

    Raises:
        StoreError: the store cannot be opened, or went on refusing.
    """
    stop = StopFlag()
    stop.set_on_signals()
    _log_to_file(settings, to_stderr=options.to_stderr)
    with closing(RunStore.open(settings)) as store:
        _serve(store, settings, options, stop)


def _serve(store: RunStore, settings: Settings, options: ServeOptions, stop: StopFlag) -> None:
    deadlines = replace(_USUAL, idle=options.idle_seconds, interval=options.interval_seconds)
    end = End.REPLACED
    while end is End.REPLACED and _is_our_turn(store, settings, options, stop):
        scheduler = Scheduler(
            settings, store, deadlines=deadlines, worker_module=options.worker_module, stop=stop
        )
        if scheduler.initialize(time.time()):
            end = _run(scheduler, settings)
        else:  # someone was quicker
            time.sleep(options.interval_seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the store of the environment's settings in the background."""
    leave_worker(os.environ)
    try:
        serve(load_settings(), _parse(arguments))
    except MarsSegError as error:
        logger.error("Giving up. %s", error)
        return error.exit_status
    return 0


def _is_our_turn(store: RunStore, settings: Settings, options: ServeOptions, stop: StopFlag) -> bool:
    """Whether nobody serves the store; waits for that if told so."""
    holder = find_holder(store, SCHEDULER, time.time())
    if holder:
        then = "standing by until it is gone" if options.wait else "stepping back"
        logger.info("Process %d schedules the runs of %s; %s.", holder.process.pid, settings.home, then)
    while holder and options.wait and not stop.is_set():
        time.sleep(options.interval_seconds)
        holder = find_holder(store, SCHEDULER, time.time())
    return not holder and not stop.is_set()


def _run(scheduler: Scheduler, settings: Settings) -> End:
    logger.info("Process %d schedules the runs of %s.", os.getpid(), settings.home)
    try:
        return scheduler.run()
    finally:
        scheduler.shutdown()
        logger.info("Process %d no longer schedules.", os.getpid())


def _parse(arguments: Sequence[str] | None) -> ServeOptions:
    parser = argparse.ArgumentParser(prog="python -m marsseg.execution.scheduler", description=__doc__)
    parser.add_argument("--idle-seconds", type=float, default=_USUAL.idle, help="end when idle for so long")
    parser.add_argument("--interval-seconds", type=float, default=_USUAL.interval, help="between two rounds")
    parser.add_argument("--worker-module", default=WORKER_MODULE, help="what `python -m` runs for a run id")
    return ServeOptions(**vars(parser.parse_args(arguments)))


def _log_to_file(settings: Settings, *, to_stderr: bool) -> None:
    path = scheduler_log(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(path, maxBytes=1_000_000, backupCount=2)
    ]
    if to_stderr:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it names all its plugins otherwise


if __name__ == "__main__":
    sys.exit(main())
