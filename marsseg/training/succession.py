"""A queue must not stall because the scheduler died while nobody looked: a worker that leaves starts another.

By name only, as this room and `execution` do not know each other. One too many steps back by itself.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from marsseg.errors import MarsSegError
from marsseg.identity import Holder, is_alive
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store import RunStore
from marsseg.store.leases import SCHEDULER

SCHEDULER_MODULE = "marsseg.execution.scheduler"

logger = logging.getLogger(__name__)


def wake_scheduler(settings: Settings, store: RunStore) -> subprocess.Popen[bytes] | None:
    """Start a scheduler if runs wait, may start, and the last one is dead; None if there was no need.

    The worker that asks has had its last word: what goes wrong here is only logged.
    """
    try:
        if store.is_queue_paused() or not store.queue() or _is_scheduler_alive(store):
            return None
        logger.info("Runs are queued and no scheduler lives; starting one.")
        return _start(settings)
    except (MarsSegError, OSError) as error:
        logger.error("No scheduler was started (%s); open any page, or queue a run, to start one.", error)
        return None


def _is_scheduler_alive(store: RunStore) -> bool:
    lease = store.find_lease(SCHEDULER)
    holder = Holder.from_text(lease.owner) if lease else None
    return holder is not None and is_alive(holder.process)


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start it as pages do, in a session of its own; it knows itself how to leave a worker's environment."""
    with (settings.artifacts / "scheduler.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", SCHEDULER_MODULE],
            cwd=PROJECT_ROOT,
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
