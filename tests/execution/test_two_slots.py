"""Two runs at once: the same numbers as one after the other, and each has its share of the machine."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from marsseg import services
from marsseg.execution.devices import threads_per_run
from marsseg.settings import usable_cores
from marsseg.store.records import RunRecord, RunStatus
from tests.execution.killing import CONFIG, Arena, numbers

pytestmark = [pytest.mark.training, pytest.mark.processes]


@pytest.fixture
def two_slots(arena: Arena) -> Arena:
    arena.use_slots(2)
    return arena


def together(arena: Arena, seeds: Sequence[int]) -> list[RunRecord]:
    """Start one run a seed at the same time, and wait for all of them."""
    runs = services.submit_repeats(arena.lab, CONFIG, seeds)
    return [arena.finish(run.id) for run in runs]


def overlapped(first: RunRecord, second: RunRecord) -> bool:
    assert first.started_at is not None
    assert first.finished_at is not None
    assert second.started_at is not None
    assert second.finished_at is not None
    return first.started_at < second.finished_at and second.started_at < first.finished_at


def test_two_at_once_measure_what_one_after_the_other_measures(two_slots: Arena) -> None:
    alone = [together(two_slots, [seed])[0] for seed in (0, 1)]
    assert not overlapped(*alone)

    at_once = together(two_slots, (0, 1))

    assert overlapped(*at_once)
    assert {run.status for run in (*alone, *at_once)} == {RunStatus.COMPLETED}, two_slots.story()
    lab = two_slots.lab
    assert [numbers(lab, run.id) for run in at_once] == [numbers(lab, run.id) for run in alone]
    assert numbers(lab, alone[0].id) != numbers(lab, alone[1].id)
    threads = {run.provenance["intra_op_threads"] for run in at_once}
    assert threads == {threads_per_run(lab.settings)} == {max(1, usable_cores() // 2)}
