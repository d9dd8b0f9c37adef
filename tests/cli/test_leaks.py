from __future__ import annotations

from pathlib import Path

import pytest

from marsseg import services
from marsseg.config import DataConfig
from marsseg.services import Lab
from tests.cli.conftest import Command
from tests.support.copies import COPIES, PAIRS, add_copies

SPLIT = ("--validation", 0.2, "--test", 0.2, "--split-seed", 1)


@pytest.fixture
def divided(lab: Lab, tmp_path: Path) -> set[tuple[int, int]]:
    """The pairs of copies that the split of `SPLIT` divides."""
    add_copies(lab, tmp_path)
    data = DataConfig(dataset=COPIES, validation_fraction=0.2, test_fraction=0.2, split_seed=1)
    split = services.split_of(lab, data)
    parts = [set(rows.tolist()) for rows in (split.train, split.validation, split.test)]
    return {pair for pair in PAIRS if not any(set(pair) <= part for part in parts)}


def test_leaks_are_a_table_and_a_document(marsseg: Command, divided: set[tuple[int, int]]) -> None:
    answer = marsseg("datasets", "leaks", COPIES, *SPLIT, "--json")
    assert (answer.status, answer.err) == (0, "")
    assert {tuple(pair["rows"]) for pair in answer.document["pairs"]} == divided
    assert f"{len(divided)} pairs of near-duplicate tiles" in answer.document["warning"]
    said = marsseg("datasets", "leaks", COPIES, *SPLIT)
    assert said.out.count("left-right") == len(divided) >= 2
    assert answer.document["warning"] in said.err


def test_other_splits_divide_other_pairs(marsseg: Command, divided: set[tuple[int, int]]) -> None:
    seed = marsseg("datasets", "leaks", COPIES, *SPLIT, "--json").document["better_seed"]
    clean = marsseg("datasets", "leaks", COPIES, *SPLIT[:-1], seed, "--json").document
    assert (clean["pairs"], clean["warning"], clean["together"]) == ([], "", len(PAIRS))
    answer = marsseg("datasets", "leaks", COPIES, *SPLIT[:-1], seed)
    assert answer.out == ""
    assert "Nothing leaks" in answer.err


def test_folds_are_looked_at_all_together_or_one_alone(
    marsseg: Command, divided: set[tuple[int, int]]
) -> None:
    def pairs(*fold: object) -> set[tuple[int, int]]:
        document = marsseg("datasets", "leaks", COPIES, "--folds", 3, *fold, "--json").document
        return {tuple(pair["rows"]) for pair in document["pairs"]}

    first, *others = (pairs("--fold", fold) for fold in range(3))
    assert pairs() == first.union(*others) > first
    assert "in at least one of 3 folds" in marsseg("datasets", "leaks", COPIES, "--folds", 3).err
    assert "in any of 3 folds" in marsseg("datasets", "leaks", "crater", "--folds", 3).err


def test_a_study_on_folds_warns_of_what_any_of_them_divides(
    marsseg: Command, divided: set[tuple[int, int]]
) -> None:
    leaks = ("datasets", "leaks", COPIES, "--folds", 3)
    assert marsseg(*leaks, "--fold", 0, "--json").document["pairs"] == []
    study = ("study", "--preset", "quick", "--dataset", COPIES, "--folds", 3, "--plan")
    assert f"Warning: {marsseg(*leaks, '--json').document['warning']}" in marsseg(*study).err


def test_a_fold_that_does_not_exist_is_bad_input(marsseg: Command, divided: set[tuple[int, int]]) -> None:
    answer = marsseg("datasets", "leaks", COPIES, "--folds", 3, "--fold", 3)
    assert answer.status == 2
    assert "the last one is 2" in answer.err


def test_a_fold_of_no_folds_is_bad_input(marsseg: Command) -> None:
    answer = marsseg("datasets", "leaks", "crater", "--fold", 2)
    assert answer.status == 2
    assert "--fold: needs --folds" in answer.err


def test_train_warns_on_stderr_before_the_run_is_queued(
    marsseg: Command, divided: set[tuple[int, int]]
) -> None:
    chosen = ("--dataset", COPIES, "--set", "data.validation_fraction=0.2", "--set", "data.test_fraction=0.2")
    answer = marsseg("train", "--preset", "quick", *chosen, "--set", "data.split_seed=1", "--json")
    assert answer.status == 0
    assert answer.document["status"] == "queued"
    assert answer.err.startswith(f"Warning: {len(divided)} pairs of near-duplicate tiles")


def test_train_says_nothing_where_nothing_leaks(marsseg: Command) -> None:
    assert "Warning" not in marsseg("train", "--preset", "quick", "--dataset", "crater").err
