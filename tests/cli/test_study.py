from __future__ import annotations

import pytest

from marsseg import services
from marsseg.presets import LADDER
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


def test_one_run_is_told_as_one(marsseg: Command) -> None:
    assert "1 run would be queued; about" in marsseg(*STUDY[:-2], "--plan").err
    assert "1 run went into the queue as study 1; about" in marsseg(*STUDY[:-2]).err


def test_a_plan_of_many_runs_is_a_line_for_each_configuration(marsseg: Command) -> None:
    many = (*STUDY, "--folds", 5, "--repeats", 10, "--plan")
    answer = marsseg(*many)
    lines = [line.split() for line in answer.out.splitlines() if "–" in line]
    assert lines == [["baseline", "0–9", "0–4"], ["+residual", "0–9", "0–4"]]
    assert "100 runs would be queued" in answer.err
    assert len(marsseg(*many, "--json").document["runs"]) == 100


def test_many_queued_runs_are_a_line_for_each_configuration_too(marsseg: Command) -> None:
    few, many = (marsseg(*STUDY, "--folds", 2, "--repeats", repeats) for repeats in (2, 10))
    assert few.out.count("+residual") == 4
    assert many.out.count("+residual") == 1
    assert "`python -m marsseg runs list` shows each of them" in many.err
    assert "runs list" not in few.err


def test_the_ladder_is_queued_with_one_budget_for_all_rows(marsseg: Command, lab: Lab) -> None:
    answer = marsseg("study", "--ladder", "--dataset", "crater", "--epochs", 2, "--repeats", 3,
                     "--set", "train.batch_size=8", "--json")  # fmt: skip
    assert (answer.status, answer.err) == (0, "")
    queued = services.queue(lab)
    assert [run.name for run in queued] == [preset.title for preset in LADDER] * 3
    assert {(run.config.train.epochs, run.config.train.batch_size) for run in queued} == {(2, 8)}
    assert {run.study_id for run in queued} == {answer.document["study"]}
    assert lab.store.list_studies()[0].name == "Report ladder"


def test_two_stages_are_queued_with_repeats_and_the_lens_is_told(marsseg: Command, lab: Lab) -> None:
    answer = marsseg("study", "--preset", "quick", "--two-stages", "--dataset", "crater", "--repeats", 2)
    assert answer.status == 0
    assert [run.name for run in services.queue(lab)] == [
        f"Quick · {stage}" for stage in ("background", "terrain", "combined")
    ] * 2
    assert "terrain lens does not count background" in answer.err


def test_the_weight_of_background_is_told_to_hold_for_one_stage(marsseg: Command) -> None:
    for command in ("study", "train"):
        two_stages = (command, "--preset", "quick", "--two-stages", "--dataset", "crater")
        answer = marsseg(*two_stages, "--set", "loss.class_weights.background=2")
        assert "Background weighs 2 in the first stage alone" in answer.err
        assert "Background weighs" not in marsseg(*two_stages).err


def test_a_change_named_twice_is_tried_once(marsseg: Command) -> None:
    answer = marsseg(*STUDY, "--change", "Residual connections", "--plan", "--json")
    assert [run["name"] for run in answer.document["runs"]] == ["baseline", "+residual"]


def test_what_a_row_of_the_ladder_adds_cannot_be_set_for_all_rows(marsseg: Command, lab: Lab) -> None:
    answer = marsseg("study", "--ladder", "--dataset", "crater", "--set", "model.residual=true",
                     "--set", "loss.focal=0.5", "--set", "train.batch_size=8")  # fmt: skip
    assert answer.status == 2
    first, second = answer.err.splitlines()
    assert first.startswith("Error: model.residual: is what “Ladder 4: + residual connections” changes")
    assert second.startswith("Error: loss.focal: is what “Ladder 2: + focal loss” changes")
    assert services.queue(lab) == []


def test_a_study_says_how_to_write_it_up(marsseg: Command, lab: Lab) -> None:
    answer = marsseg(*STUDY)
    assert f"python -m marsseg results --study {lab.store.list_studies()[0].id}" in answer.err
    assert "results --study" not in marsseg(*STUDY, "--plan").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ladder", "--preset", "quick"),
        ("--ladder", "--two-stages"),
        ("--ladder", "--change", "residual"),
        ("--two-stages", "--preset", "quick", "--change", "residual"),
    ],
)
def test_options_of_two_plans_are_refused(marsseg: Command, lab: Lab, arguments: tuple[str, ...]) -> None:
    answer = marsseg("study", "--dataset", "crater", *arguments)
    assert answer.status == 2
    assert "cannot be mixed" in answer.err
    assert services.queue(lab) == []


def test_values_can_be_set_in_the_baseline(marsseg: Command, lab: Lab) -> None:
    assert marsseg(*STUDY, "--set", "train.epochs=7", "--set", "data.folds=2").status == 0
    assert [run.config.train.epochs for run in services.queue(lab)] == [7] * 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--change", "sorcery"), "There is no change 'sorcery'"),
        (("--folds", 1), "One fold would leave nothing to train on"),
        (("--set", "combine.flips=true"), "combine.flips: runs are not combined by training"),
        (("--repeats", 0), "repeats: must be at least 1; got 0."),
        (("--repeats", 1_000_000), "repeats: must be at most 10; got 1000000."),
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


@pytest.mark.parametrize(
    ("plan", "is_told"),
    [
        (("--preset", "quick"), True),
        (("--preset", "quick", "--change", "residual"), False),
        (("--preset", "quick", "--two-stages"), True),
        (("--ladder",), False),
    ],
)
def test_a_setting_that_none_of_the_runs_uses_is_told(
    marsseg: Command, plan: tuple[str, ...], *, is_told: bool
) -> None:
    answer = marsseg("study", *plan, "--dataset", "crater", "--plan", "--set", "model.drop_path=0.2",
                     "--set", "train.batch_size=8")  # fmt: skip
    assert answer.status == 0
    assert ("Warning: model.drop_path=0.2 has no say" in answer.err) == is_told
