"""`combine`, and the other commands on what it makes."""

from __future__ import annotations

import pytest

from marsseg import services
from marsseg.services import Lab
from marsseg.store.records import RunStatus
from tests.cli.conftest import Command, finish_run

LATER = "It combines its runs in the background, once they have ended"


def test_a_combination_is_not_said_to_train(marsseg: Command, scored_run: str) -> None:
    answer = marsseg("combine", scored_run, "--flips")
    assert answer.status == 0
    assert LATER in answer.err
    assert "trains" not in answer.err


def test_of_two_stages_the_run_that_is_named_combines_the_others(marsseg: Command) -> None:
    assert LATER in marsseg("train", "--preset", "quick", "--dataset", "crater", "--two-stages").err


def test_a_run_that_learns_is_said_to_train(marsseg: Command) -> None:
    assert "It trains in the background" in marsseg("train", "--preset", "quick", "--dataset", "crater").err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (
            ("extend", "--epochs", 2),
            "trains nothing itself; extend the runs that it combines, then combine them anew",
        ),
        (("resume",), "is completed and cannot be resumed; combine its runs anew"),
    ],
)
def test_a_combination_is_made_anew_instead_of_going_on(
    marsseg: Command, lab: Lab, scored_run: str, command: tuple[object, ...], says: str
) -> None:
    run = services.combine(lab, [scored_run], flips=True)
    finish_run(lab, run, RunStatus.COMPLETED)
    action, *options = command
    answer = marsseg("runs", action, run.id, *options)
    assert answer.status == 2
    assert f"Run {run.id} {says}" in answer.err
    assert services.get_run(lab, run.id).status is RunStatus.COMPLETED


def test_a_combination_without_its_network_is_made_anew(marsseg: Command, lab: Lab, scored_run: str) -> None:
    run = services.combine(lab, [scored_run], flips=True)
    finish_run(lab, run, RunStatus.COMPLETED)
    (lab.settings.run_dir(run.id) / "model.onnx").unlink()
    answer = marsseg("combine", scored_run, run.id)
    assert "has lost its network model.onnx; combine its runs anew to have one." in answer.err
