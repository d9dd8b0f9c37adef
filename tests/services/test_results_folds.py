"""Results of studies on folds, and of two stages."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord
from tests.support.labs import config, finish_queued, finish_run
from tests.support.ladders import at_budget, section, text_of

FOLDS = {"data__folds": 2}


def finish_study(lab: Lab, repeats: int = 1, **values: Any) -> list[RunRecord]:
    """Folds of one seed differ as much as those of two seeds."""
    baseline = config(**FOLDS, **values)
    residual = services.find_toggle("Residual connections")
    planned = services.plan_ablation(baseline, [residual], repeats)
    queued = services.submit_study(lab, "Folds", baseline, planned)[1]
    return [finish_queued(lab, run, error_rate=0.1 + 0.02 * place) for place, run in enumerate(queued)]


def test_folds_of_one_seed_are_one_score_and_tell_nothing_of_seeds(lab: Lab) -> None:
    finish_study(lab)
    results = services.study_results(lab, "Folds")
    for row in results.rows:
        assert len(row.runs) == 2
        assert [len(row.scores("terrain", split)) for split in ("validation", "test")] == [1, 1]
    assert all(step.seeds is None and step.is_beyond_noise is None for step in results.steps)
    page = text_of(lab, "Folds")
    assert "±" not in section(page, "Scores").split("|", 1)[1]
    assert "on the test split the mean over folds counts" in section(page, "Scores")


def test_the_test_score_of_a_seed_is_the_mean_of_its_folds(lab: Lab) -> None:
    finish_study(lab, repeats=2)
    row = services.study_results(lab, "Folds").rows[0]
    single = [services.score_by_run(lab)[run.id] for run in row.runs]
    assert [run.seed for run in row.runs] == [0, 0, 1, 1]
    expected = [(single[0] + single[1]) / 2, (single[2] + single[3]) / 2]
    assert row.scores("terrain", "test") == pytest.approx(expected)


def test_a_missing_seed_is_missing_with_all_its_folds(lab: Lab) -> None:
    finish_study(lab, repeats=2)
    results = services.study_results(lab, "Folds")
    assert {gap.sentence: gap.command for gap in services.find_gaps(results)} == {
        f"{row.name} lacks seed 2, fold {fold}.": (
            f"python -m marsseg runs clone {row.runs[0].id} --seed 2 --set data.fold={fold}"
        )
        for row in results.rows
        for fold in (0, 1)
    }


def test_unfinished_folds_are_named_and_repeated(lab: Lab) -> None:
    baseline = config(**FOLDS)
    planned = services.plan_ablation(baseline, [], 1)
    first, second = services.submit_study(lab, "Folds", baseline, planned)[1]
    finish_queued(lab, first)
    page = text_of(lab, "Folds")
    assert f"{second.name}, seed 0, fold 1 waits in the queue." in section(page, "What is missing")
    assert "--folds 2 --repeats 1\n" in section(page, "How to repeat it")


def test_a_first_stage_has_no_score_of_terrain(lab: Lab) -> None:
    stage = finish_run(
        lab, config(data__target="background", loss__class_weights__background=1.0), error_rate=0.1
    )
    terrain = finish_run(lab, config(), error_rate=0.3)
    finish_run(lab, config(model__residual=True), error_rate=0.2)
    board = services.leaderboard(lab)
    names = {row.run_ids[0]: row for row in board.rows}
    assert board.rows[-1].run_ids == (stage.id,)
    assert "background" in names[stage.id].name
    assert names[stage.id].delta is None
    assert names[terrain.id].is_baseline
    last = json.loads(services.leaderboard_text(board, "json"))["rows"][-1]
    assert (last["mean_iou"], last["class_iou"][1:]) == (None, [None] * 4)
    scores = services.score_by_run(lab)
    assert math.isnan(scores[stage.id])
    assert scores[terrain.id] == pytest.approx(names[terrain.id].score)


def test_a_row_can_be_set_against_itself_by_its_run(lab: Lab) -> None:
    run = finish_study(lab)[0]
    duel = services.study_results(lab, "Folds", candidate=run.id, against=run.id).duel
    assert duel is not None
    assert duel.ours is duel.theirs
    assert duel.comparisons[0].delta is None
    assert f"{run.id} against {run.id}" in text_of(lab, "Folds", candidate=run.id, against=run.id)


def test_more_seeds_than_one_plan_takes_are_repeated_in_several(lab: Lab) -> None:
    planned = services.plan_ladder(at_budget, 10)
    more = services.plan_ladder(lambda row: at_budget(row).with_values({"train.seed": 10}), 1)
    services.submit_study(lab, "Report ladder", planned[0].config, [*planned, *more])
    commands = section(text_of(lab), "How to repeat it")
    assert "--name 'Report ladder' --dataset" in commands
    assert "--repeats 10\n" in commands
    assert "--name 'Report ladder, seeds from 10' --dataset" in commands
    assert "--set train.seed=10 --repeats 1\n" in commands
