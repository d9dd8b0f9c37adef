"""Which GPUs there are for runs, and which run gets which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marsseg.execution.devices import Gpu, slot_count, threads_per_run, visible_gpus
from marsseg.settings import Settings, usable_cores
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Stage

IDS = ("GPU-8932f937-d72c", "GPU-89aa0000-0000", "GPU-11110000-0000")
GPUS = tuple(Gpu(id, "H100", 80 * 1024**3) for id in IDS)
FIRST, SECOND, THIRD = GPUS


@pytest.mark.parametrize(
    ("variable", "visible"),
    [
        (None, GPUS),
        ("", ()),
        ("2,1", (THIRD, SECOND)),
        ("0,2,-1,1", (FIRST, THIRD)),
        ("-1", ()),
        ("0,7,1", (FIRST,)),
        ("NoDevFiles", ()),
        ("GPU-8932f937-d72c", (FIRST,)),
        ("GPU-8932", (FIRST,)),
        ("GPU-89", ()),
        ("2,GPU-89", (THIRD,)),
        (" 1 , 0", (SECOND, FIRST)),
        ("1,", (SECOND,)),
        ("0,0", ()),
        ("0,GPU-8932", ()),
    ],
)
def test_the_environment_chooses_gpus_as_it_does_for_cuda(
    variable: str | None, visible: tuple[Gpu, ...]
) -> None:
    """As the CUDA programming guide says; that a duplicate hides all is what PyTorch found."""
    environ = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}

    assert visible_gpus(GPUS, environ) == visible


def test_there_is_a_slot_a_gpu_unless_the_settings_say_otherwise(settings: Settings) -> None:
    assert slot_count(settings, ()) == 1
    assert slot_count(settings, GPUS) == 3
    assert slot_count(replace(settings, slots=2), GPUS) == 2


def test_the_cores_are_divided_between_the_slots(settings: Settings) -> None:
    assert threads_per_run(settings, ()) == usable_cores()
    assert threads_per_run(replace(settings, slots=2), ()) == max(1, usable_cores() // 2)
    assert threads_per_run(replace(settings, slots=10_000), ()) == 1


def test_two_runs_get_two_gpus_and_a_third_waits(bench: Bench, stage: Stage) -> None:
    runs = [bench.queue() for _ in range(3)]
    scheduler = stage.open(slots=None, gpus=[FIRST, SECOND])
    stage.drive(scheduler, lambda: all(map(bench.is_running, runs[:2])))

    told = [bench.told(run_id, "CUDA_VISIBLE_DEVICES") for run_id in runs[:2]]
    assert told == [bench.run(run_id).gpu for run_id in runs[:2]] == [FIRST.id, SECOND.id]
    assert bench.status(runs[2]) is RunStatus.QUEUED

    bench.kill(runs[1])
    stage.drive(scheduler, lambda: bench.is_running(runs[2]))
    assert bench.told(runs[2], "CUDA_VISIBLE_DEVICES") == SECOND.id


def test_more_slots_than_gpus_share_them_evenly(bench: Bench, stage: Stage) -> None:
    runs = [bench.queue() for _ in range(3)]
    scheduler = stage.open(slots=3, gpus=[FIRST, SECOND])
    stage.drive(scheduler, lambda: all(map(bench.is_running, runs)))

    assert [bench.run(run_id).gpu for run_id in runs] == [FIRST.id, SECOND.id, FIRST.id]


def test_a_resumed_run_keeps_its_threads_under_another_number_of_slots(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    first = stage.open(slots=1)
    stage.drive(first, lambda: bench.is_running(run_id))
    threads = bench.told(run_id, "MARSSEG_THREADS")
    assert threads == str(usable_cores())
    bench.kill(run_id)
    stage.drive(first, lambda: bench.status(run_id) is RunStatus.LOST)
    first.shutdown()

    bench.store.requeue(run_id)
    second = stage.open(slots=usable_cores() + 1)
    fresh = bench.queue()
    stage.drive(second, lambda: bench.is_running(run_id) and bench.is_running(fresh))

    assert bench.told(run_id, "MARSSEG_THREADS") == bench.told(run_id, "OMP_NUM_THREADS") == threads
    assert bench.told(fresh, "MARSSEG_THREADS") == "1"
