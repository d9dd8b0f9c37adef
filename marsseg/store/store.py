"""RunStore: the store's parts behind one name."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from marsseg.errors import StoreError
from marsseg.settings import Settings
from marsseg.store.annotations import Annotations
from marsseg.store.datasets import DatasetStore
from marsseg.store.engine import Database
from marsseg.store.leases import Leases
from marsseg.store.measurements import Measurements
from marsseg.store.queue import RunQueue
from marsseg.store.runs import RunTable
from marsseg.store.schema import prepare
from marsseg.store.worker import WorkerDesk


class RunStore(DatasetStore, RunTable, RunQueue, Annotations, WorkerDesk, Measurements, Leases):
    """Everything that the lab remembers; one instance may be shared by threads.

    Names say what to expect: `find_*` returns None, `get_*` raises NotFoundError, `list_*` returns
    a list. Every write that pages can see is an event in the same transaction.

    Args:
        database_url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
        clock: gives seconds since the epoch.
        home: the folder of the runs' files, if it is known: a database that is missing beside them is lost.

    Raises:
        StoreError: the database cannot be used; the sentence says what to do.
    """

    def __init__(
        self, database_url: str, clock: Callable[[], float] = time.time, *, home: Path | None = None
    ) -> None:
        super().__init__(Database(database_url), clock)
        prepare(self._database, home)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the configured store; the first time, make its folder and its tables.

        Raises:
            StoreError: the folder or the database cannot be used.
        """
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder {settings.home} cannot be made ({error.strerror}); "
                "set MARSSEG_HOME to a folder of yours."
            ) from error
        return cls(settings.database_url, home=settings.home)

    def close(self) -> None:
        """Close all connections; the next call opens them anew."""
        self._database.close()
