"""One of many who queue runs and change those that wait, and who remember what they did."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from marsseg.config import RunConfig
from marsseg.errors import StateError
from marsseg.store import RunStore
from marsseg.store.records import NewRun, RunStatus

MOST_QUEUED = 24
Answer = TypeVar("Answer")


class Submitter:
    def __init__(self, name: str, store: RunStore) -> None:
        self.name = name
        self.store = store
        self.random = random.Random(name)
        self.dataset_id = store.list_datasets()[0].id
        self.names: dict[str, str] = {}
        self.waiting: list[str] = []
        self.renames = self.priorities = 0
        self.longest_wait = 0.0

    def work(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.store.count_by_status().get(RunStatus.QUEUED, 0) < MOST_QUEUED:
                self.submit()
            elif self.waiting:
                self.change(self.random.choice(self.waiting))
            else:
                time.sleep(0.01)

    def submit(self) -> None:
        name = f"{self.name} {len(self.names)}"
        run = self.timed(lambda: self.store.add_run(NewRun(RunConfig(), name, "f" * 16, self.dataset_id)))
        self.names[run.id] = name
        self.waiting.append(run.id)

    def change(self, run_id: str) -> None:
        """Rename a run; if it still waits, give it a priority that is new to it and move it to the front."""
        new_name = f"{self.name} change {self.renames}"
        self.timed(lambda: self.store.rename_run(run_id, new_name))
        self.names[run_id] = new_name
        self.renames += 1
        try:
            self.timed(lambda: self.store.set_priority(run_id, -1 - self.priorities))
            self.priorities += 1
            self.timed(lambda: self.store.move_queued(run_id, "top"))
        except StateError:  # its turn has come
            self.waiting.remove(run_id)

    def timed(self, call: Callable[[], Answer]) -> Answer:
        start = time.monotonic()
        try:
            return call()
        finally:
            self.longest_wait = max(self.longest_wait, time.monotonic() - start)

    def report(self) -> dict[str, Any]:
        return {
            "names": self.names,
            "renames": self.renames,
            "priorities": self.priorities,
            "longest_wait": self.longest_wait,
        }
