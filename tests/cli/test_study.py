from __future__ import annotations

import pytest

from marsseg import services
from marsseg.services import Lab
from marsseg.store.records import RunStatus
from tests.cli.conftest import Command, finish_run, queue_run

STUDY = ("study", "--preset", "quick", "--dataset", "crater", "--change", "residual")


def test_a_study_on_folds_is_queued_in_one_step(marsseg: Command, lab: Lab) -> None:
    answer = marsseg(*STUDY, "--folds", 3, "--repeats", 2, "--name", "five", "--json")
    assert (answer.status, answer.err) == (0, "")
    assert answer.document["queued"] is True
    told = [(run["id"], run["seed"], run["fold"]) for run in answer.document["runs"]]
    queued = [(run.id, run.seed, run.config.data.fold) for run in services.queue(lab)]
    assert told == queued
    assert [places[1:] for places in told[::2]] == [(s, f) for s in (0, 1) for f in (0, 1, 2)]
    assert [run["name"] for run in answer.document["runs"]] == ["five · baseline", "+residual"] * 6


def test_a_plan_is_shown_and_nothing_queued(marsseg: Command, lab: Lab) -> None:
    answer = marsseg(*STUDY, "--plan")
    assert answer.status == 0
    assert "+residual" in answer.out
    assert "2 runs would be queued; about" in answer.err
    assert services.queue(lab) == []


def test_values_can_be_set_in_the_baseline(marsseg: Command, lab: Lab) -> None:
    assert marsseg(*STUDY, "--set", "train.epochs=7", "--set", "data.folds=2").status == 0
    assert [run.config.train.epochs for run in services.queue(lab)] == [7] * 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--change", "sorcery"), "There is no change 'sorcery'"),
        (("--folds", 1), "One fold would leave nothing to train on"),
        (("--repeats", 0), "at least 1"),
    ],
)
def test_what_cannot_be_planned_is_bad_input(
    marsseg: Command, lab: Lab, arguments: tuple[object, ...], sentence: str
) -> None:
    answer = marsseg(*STUDY, *arguments)
    assert answer.status == 2
    assert sentence in answer.err
    assert services.queue(lab) == []


def test_the_board_says_that_folds_are_pooled(marsseg: Command, lab: Lab) -> None:
    """Right pixels by fold: 90 and 60 of 100 of soil and of sand alike, on equally many tiles."""
    tiles = []
    for fold, right in ((0, 0.9), (1, 0.6)):
        run = queue_run(lab, **{"data.folds": 2, "data.fold": fold})
        tiles.append(len(services.split_of(lab, run.config.data).validation))
        finish_run(lab, run, RunStatus.COMPLETED, share_right=right)
    share = (0.9 * tiles[0] + 0.6 * tiles[1]) / sum(tiles)
    (row,) = marsseg("leaderboard", "--split", "validation", "--json").document["rows"]
    assert row["mean_iou"] == pytest.approx(share / (2 - share))
    assert "2 folds pooled" in marsseg("leaderboard", "--split", "validation").out
    assert "mean ± sd over 2 folds" in marsseg("leaderboard").out
