from __future__ import annotations

import csv
import io

import pytest

from marsseg.services import Lab
from marsseg.store.records import RunStatus
from tests.cli.conftest import Command, finish_run, queue_run


@pytest.fixture
def two_runs(lab: Lab) -> tuple[str, str]:
    """A plain run that gets 80 of 100 pixels right, and a residual one that gets 90."""
    plain = finish_run(lab, queue_run(lab), RunStatus.COMPLETED, share_right=0.8)
    better = finish_run(lab, queue_run(lab, **{"model.residual": True}), RunStatus.COMPLETED, share_right=0.9)
    return plain, better


def iou(share_right: float) -> float:
    """Of soil and of sand alike: right pixels over right ones, missed ones and wrong ones."""
    return share_right / (2 - share_right)


def test_the_better_run_leads_with_its_difference(marsseg: Command, two_runs: tuple[str, str]) -> None:
    plain, better = two_runs
    board = marsseg("leaderboard", "--format", "json").document
    assert [row["runs"] for row in board["rows"]] == [[better], [plain]]
    assert [row["mean_iou"] for row in board["rows"]] == pytest.approx([iou(0.9), iou(0.8)])
    assert board["rows"][0]["delta"]["value"] == pytest.approx(iou(0.9) - iou(0.8))
    assert board["rows"][1]["delta"] is None
    assert board["toggles"] == ["model.residual"]


def test_json_is_a_format_and_a_flag(marsseg: Command, two_runs: tuple[str, str]) -> None:
    assert marsseg("leaderboard", "--json").out == marsseg("leaderboard", "--format", "json").out


def test_another_baseline_turns_the_difference_round(marsseg: Command, two_runs: tuple[str, str]) -> None:
    board = marsseg("leaderboard", "--json", "--baseline", two_runs[1]).document
    assert board["rows"][0]["delta"] is None
    assert board["rows"][1]["delta"]["value"] == pytest.approx(iou(0.8) - iou(0.9))


def test_the_baseline_goes_by_the_beginning_of_an_id(marsseg: Command, two_runs: tuple[str, str]) -> None:
    answer = marsseg("leaderboard", "--json", "--baseline", two_runs[1][:-2])
    assert answer.out == marsseg("leaderboard", "--json", "--baseline", two_runs[1]).out


def test_a_dataset_without_scores_is_told_from_a_lab_without_any(
    marsseg: Command, two_runs: tuple[str, str]
) -> None:
    answer = marsseg("leaderboard", "--dataset", "demo")
    assert (answer.status, answer.out) == (0, "")
    assert "No run on demo has been scored yet; start one with" in answer.err
    assert "--preset quick --dataset demo`" in answer.err
    assert marsseg("leaderboard", "--dataset", "demo", "--baseline", "nobody").status == 2


def test_the_table_reads_in_points(marsseg: Command, two_runs: tuple[str, str]) -> None:
    answer = marsseg("leaderboard")
    assert f"{100 * (iou(0.9) - iou(0.8)):+.1f}" in answer.out
    assert "+residual" in answer.out
    assert answer.out.split()[:4] == ["#", "What", "differs", "Mean"]
    assert "split test · lens terrain · decoding terrain_only · baseline a run" in answer.err


def test_csv_has_a_row_a_configuration(marsseg: Command, two_runs: tuple[str, str]) -> None:
    rows = list(csv.DictReader(io.StringIO(marsseg("leaderboard", "--format", "csv").out)))
    assert [row["What differs"] for row in rows] == ["+residual", "a run"]
    assert [float(row["Mean IoU"]) for row in rows] == pytest.approx([iou(0.9), iou(0.8)], abs=1e-4)


@pytest.mark.parametrize(("form", "beginning"), [("md", "| Rank |"), ("latex", "\\begin{tabular}")])
def test_papers_get_their_table(
    marsseg: Command, two_runs: tuple[str, str], form: str, beginning: str
) -> None:
    assert marsseg("leaderboard", "--format", form).out.startswith(beginning)


def test_lens_decoding_and_split_reach_the_board(marsseg: Command, two_runs: tuple[str, str]) -> None:
    arguments = ["--lens", "strict", "--decoding", "argmax", "--split", "validation", "--dataset", "crater"]
    board = marsseg("leaderboard", *arguments, "--json").document
    assert (board["lens"], board["decoding"], board["split"]) == ("strict", "argmax", "validation")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--lens", "rosy"],
        ["--decoding", "magic"],
        ["--split", "training"],
        ["--format", "pdf"],
        ["--format", "csv", "--json"],
        ["--dataset", "nowhere"],
        ["--baseline", "nobody"],
    ],
    ids=" ".join,
)
def test_an_unknown_choice_is_bad_input(
    marsseg: Command, two_runs: tuple[str, str], arguments: list[str]
) -> None:
    answer = marsseg("leaderboard", *arguments)
    assert answer.status == 2
    assert answer.out == ""
    assert arguments[1] in answer.err


def test_an_empty_board_says_how_to_fill_it(marsseg: Command) -> None:
    answer = marsseg("leaderboard")
    assert (answer.status, answer.out) == (0, "")
    assert "train --preset quick" in answer.err
    assert marsseg("leaderboard", "--json").document["rows"] == []
