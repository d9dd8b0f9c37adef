"""Removing a dataset: what goes with it, and which runs keep it from going."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from marsseg.services.handling import file_sizes
from marsseg.services.lab import Lab
from marsseg.store.records import DatasetRecord, RunRecord


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing a dataset takes away: its imported copy, in so many files and bytes.

    Args:
        runs: those that refer to it, archived ones too, newest first; while there are any, it stays.
    """

    record: DatasetRecord
    runs: tuple[RunRecord, ...]
    files: int
    bytes: int

    @property
    def is_possible(self) -> bool:
        """Whether no run refers to it."""
        return not self.runs


def plan_removal(lab: Lab, name: str) -> Removal:
    """Say what removing a dataset would take away, without doing it.

    Raises:
        NotFoundError: no dataset goes by that name.
    """
    record = lab.store.get_dataset(name)
    sizes = file_sizes(lab.settings.datasets_dir / record.sha256)
    runs = tuple(lab.store.list_runs(dataset_id=record.id))
    return Removal(record, runs, len(sizes), sum(sizes))


def remove_dataset(lab: Lab, name: str) -> None:
    """Remove a dataset that no run refers to, with its imported files; the original is not touched.

    Raises:
        NotFoundError: no dataset goes by that name.
        StateError: runs still refer to it.
    """
    record = lab.store.get_dataset(name)
    lab.store.remove_dataset(record.id)
    shutil.rmtree(lab.settings.datasets_dir / record.sha256, ignore_errors=True)
