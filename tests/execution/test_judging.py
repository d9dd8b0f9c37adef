"""The usual deadlines, phase by phase, without waiting for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from marsseg.execution.clocks import Deadlines
from marsseg.execution.judging import Observer, Standstill, judge, phase_deadline, span
from marsseg.identity import own_identity
from marsseg.store.records import Phase, Progress, RunRecord, RunStatus
from tests.execution.conftest import Bench

USUAL = Deadlines()
STILL = Standstill(unreported=0, unmoved=0, stuck=0, lifeless=0, asked=0, hurried=0)
MINUTE = 60


@pytest.fixture
def run(bench: Bench) -> RunRecord:
    return replace(bench.run(bench.queue()), status=RunStatus.RUNNING, process=own_identity("token"))


@pytest.mark.parametrize(
    ("phase", "minutes"),
    [
        (Phase.LOADING, 10),
        (Phase.BUILDING, 20),
        (Phase.TRAINING, 10),
        (Phase.VALIDATING, 10),
        (Phase.SAVING, 10),
        (Phase.EVALUATING, 10),
        (Phase.EXPORTING, 20),
    ],
)
def test_each_phase_has_its_deadline_and_its_words(run: RunRecord, phase: Phase, minutes: int) -> None:
    run = replace(run, progress=Progress(phase))

    assert judge(run, replace(STILL, unmoved=minutes * MINUTE - 1), USUAL) is None
    verdict = judge(run, replace(STILL, unmoved=minutes * MINUTE), USUAL)
    assert verdict.status is RunStatus.FAILED
    assert verdict.reason == f"No progress for {minutes} minutes while {phase}; the worker was ended."


@pytest.mark.parametrize(
    ("median", "deadline"),
    [(0.01, 60), (1.2, 60), (2.0, 100), (11.0, 550), (40.0, 2000)],
)
def test_a_batch_may_take_fifty_times_its_median_but_a_minute_at_least(
    median: float, deadline: float
) -> None:
    assert phase_deadline(Progress(Phase.TRAINING, step_seconds=median), USUAL) == deadline


def test_the_median_of_batches_is_nothing_to_other_phases() -> None:
    assert phase_deadline(Progress(Phase.VALIDATING, step_seconds=0.1), USUAL) == 600


def test_a_late_batch_is_told_with_the_usual_time(run: RunRecord) -> None:
    run = replace(run, progress=Progress(Phase.TRAINING, step_seconds=0.352))

    assert judge(run, replace(STILL, unmoved=60), USUAL).reason == (
        "No progress for 60 seconds while training, where a batch usually takes 0.35 seconds; "
        "the worker was ended."
    )


def test_a_silent_worker_is_given_a_quarter_of_an_hour(run: RunRecord) -> None:
    assert judge(run, replace(STILL, lifeless=15 * MINUTE - 1, stuck=9999), USUAL) is None

    reason = judge(run, replace(STILL, lifeless=15 * MINUTE), USUAL).reason
    assert reason.startswith("No sign of life for 15 minutes, although its process lives")


@pytest.mark.parametrize(
    ("asked", "stuck", "is_ended"), [(600, 599, False), (599, 600, False), (600, 600, True)]
)
def test_a_stop_waits_ten_minutes_without_progress(
    run: RunRecord, asked: float, stuck: float, is_ended: bool
) -> None:
    run = replace(run, stop_requested=True)

    verdict = judge(run, replace(STILL, asked=asked, stuck=stuck), USUAL)

    assert (verdict is not None) == is_ended
    assert verdict is None or verdict.status is RunStatus.STOPPED


def test_stop_now_waits_half_a_minute(run: RunRecord) -> None:
    run = replace(run, stop_requested=True, stop_now=True)

    assert judge(run, replace(STILL, hurried=29), USUAL) is None
    assert judge(run, replace(STILL, hurried=30), USUAL).status is RunStatus.STOPPED


def test_a_run_that_a_person_had_asked_to_stop_has_not_failed(run: RunRecord) -> None:
    run = replace(run, stop_requested=True, progress=Progress(Phase.TRAINING, step_seconds=0.1))

    verdict = judge(run, replace(STILL, unmoved=60), USUAL)

    assert verdict.status is RunStatus.STOPPED
    assert "No progress for 60 seconds" in verdict.reason


Measure = Callable[..., Standstill]


@pytest.fixture
def measure(run: RunRecord) -> Measure:
    """Look at a worker at a time: when it last beat and moved, and whether it is suspended."""
    observer = Observer()

    def measure(at: float, *, beat: float, moved: float, suspended: bool = False) -> Standstill:
        seen = replace(run, heartbeat_at=beat, progress_at=moved)
        return observer.measure(seen, at, USUAL, lambda: suspended)

    return measure


def test_time_without_progress_counts_while_the_worker_beats(measure: Measure) -> None:
    for second in range(8):
        standstill = measure(second, beat=second, moved=0)

    assert standstill.unmoved == 7


def test_time_after_the_last_heartbeat_does_not_count(measure: Measure) -> None:
    measure(0, beat=0, moved=0)
    measure(2, beat=2, moved=0)

    for second in range(3, 3600):
        assert measure(second, beat=2, moved=0).unmoved == 2


def test_after_a_silence_the_count_starts_anew(measure: Measure) -> None:
    measure(0, beat=0, moved=0)
    measure(50, beat=50, moved=0)
    measure(56, beat=50, moved=0)

    assert measure(57, beat=57, moved=0).unmoved == 0
    assert measure(60, beat=60, moved=0).unmoved == 3


def test_a_late_heartbeat_is_no_silence(measure: Measure) -> None:
    measure(0, beat=0, moved=0)
    measure(4, beat=0, moved=0)

    assert measure(5, beat=5, moved=0).unmoved == 5


def test_time_suspended_is_not_lifeless(measure: Measure) -> None:
    measure(0, beat=0, moved=0)
    for second in range(10, 3600, 10):
        assert measure(second, beat=0, moved=0, suspended=True).lifeless == 0

    assert measure(3650, beat=0, moved=0).lifeless == 60


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "0.012 seconds"),
        (1, "1 second"),
        (30, "30 seconds"),
        (61.7, "62 seconds"),
        (600, "10 minutes"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert span(seconds) == text
