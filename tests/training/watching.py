"""Doing something at a moment of a worker's life, for workers in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from marsseg.store.records import Phase, Progress
from marsseg.training.reporting import StoreReporter


def at(
    monkeypatch: pytest.MonkeyPatch, phase: Phase, act: Callable[[StoreReporter], object], *, epoch: int = 0
) -> None:
    """Do something whenever a worker says that it is in a phase (of one epoch, if told so)."""
    plain = StoreReporter.progress

    def progress(reporter: StoreReporter, heard: Progress) -> None:
        plain(reporter, heard)
        if heard.phase is phase and epoch in {0, heard.epoch}:
            act(reporter)

    monkeypatch.setattr(StoreReporter, "progress", progress)
