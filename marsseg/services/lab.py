"""The lab itself: settings and store in one value that every use case takes first."""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import dataclass, replace

from marsseg.errors import MarsSegError, StoreError
from marsseg.execution.control import SchedulerStatus, ensure_scheduler, scheduler_status, settle
from marsseg.settings import Settings, load_settings
from marsseg.store.records import ACTIVE, RunStatus
from marsseg.store.store import RunStore

DEMO_DATASET, DEMO_SOURCE = "demo", "built-in procedural terrain"
"""What the demo dataset is called unless renamed, and where it says it comes from."""

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_labs: dict[Settings, Lab] = {}


@dataclass(frozen=True, slots=True)
class Lab:
    """What a use case needs to know: where things are, and the store.

    Args:
        is_new: whether this process made the store, and drew the demo dataset into it.
    """

    settings: Settings
    store: RunStore
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """What goes on right now, in counts; `free_bytes` is of the disk that holds the home.

    Args:
        paused: whether queued runs wait until the queue goes on.
    """

    active: int
    queued: int
    scheduler: SchedulerStatus
    free_bytes: int
    paused: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether anything runs or waits, so that a live page has something to refresh."""
        return bool(self.active or self.queued)


def open_lab(settings: Settings | None = None) -> Lab:
    """Open the lab, once a process: the first start ever also makes the store and the demo dataset.

    Raises:
        StoreError: the home cannot be written, or the database is damaged or from another version.
    """
    settings = settings or load_settings()
    with _lock:
        if settings not in _labs:
            _labs[settings] = _open(settings)
        return _labs[settings]


def store_version(lab: Lab) -> int:
    """A number that grows whenever something happened that a page may want to show."""
    return lab.store.version()


def activity(lab: Lab) -> Activity:
    """Count what runs and what waits; if anything does, a scheduler that has died is replaced."""
    active, queued = revive(lab)
    return Activity(
        active=active,
        queued=queued,
        scheduler=scheduler_status(lab.store),
        free_bytes=shutil.disk_usage(lab.settings.home).free,
        paused=lab.store.is_queue_paused(),
    )


def wake(lab: Lab) -> None:
    """Make sure that a scheduler serves the store.

    Raises:
        MarsSegError: its process cannot be started.
    """
    ensure_scheduler(lab.settings, store=lab.store)


def revive(lab: Lab) -> tuple[int, int]:
    """As `wake`, if anything is active or queued, for those who only look; returns how much of each is.

    What died with the scheduler is called active no longer. Who looks must see something even where no
    process can be started.
    """
    active, queued = _count(lab)
    if active and settle(lab.settings, lab.store):
        active, queued = _count(lab)
    if active or queued:
        try:
            wake(lab)
        except MarsSegError as error:
            logger.warning("%s", error)
    return active, queued


def _count(lab: Lab) -> tuple[int, int]:
    counts = lab.store.count_by_status()
    return sum(counts.get(status, 0) for status in ACTIVE), counts.get(RunStatus.QUEUED, 0)


def _open(settings: Settings) -> Lab:
    try:
        settings.datasets_dir.mkdir(parents=True, exist_ok=True)
        settings.runs_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {settings.home} cannot be written ({error.strerror}); "
            "make it writable or set MARSSEG_HOME to another one."
        ) from error
    lab = Lab(settings, RunStore.open(settings))
    if lab.store.version() == 0:
        from marsseg.services.demo import add_demo  # every later start goes without it

        add_demo(lab)
        return replace(lab, is_new=True)
    return lab
