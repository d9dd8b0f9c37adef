"""Folds on the leaderboard: one row, scored by hand from the stored matrices."""

from __future__ import annotations

import csv
import io
import json
import statistics
from typing import Any

import numpy as np
import pytest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from tests.support.labs import config, finish_run

FOLDS = 3
RATES = (0.05, 0.2, 0.5)


def finish_fold(lab: Lab, fold: int, rate: float, **values: Any) -> RunRecord:
    return finish_run(lab, config(data__folds=FOLDS, data__fold=fold, **values), error_rate=rate)


def finish_folds(lab: Lab, worse: float = 0.0, **values: Any) -> list[RunRecord]:
    return [finish_fold(lab, fold, rate + worse, **values) for fold, rate in enumerate(RATES)]


def stored(lab: Lab, runs: list[RunRecord], split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and matrices of each run."""
    found = lab.store.list_evaluations([run.id for run in runs], split, "terrain_only")
    return [(each.rows, each.confusions) for each in found]


def terrain_miou(confusion: np.ndarray) -> float:
    """Mean over classes 1-4 of right pixels over right, missed and wrong ones; true background left out."""
    counts = confusion.astype(float)
    counts[0] = 0
    ious = [counts[c, c] / (counts[c].sum() + counts[:, c].sum() - counts[c, c]) for c in range(1, 5)]
    return statistics.mean(ious)


def board(lab: Lab, split: str = "validation", **query: Any) -> services.Leaderboard:
    return services.leaderboard(lab, services.LeaderboardQuery(split=split, **query))


def test_on_validation_the_matrices_of_all_folds_are_summed_before_they_are_scored(lab: Lab) -> None:
    runs = finish_folds(lab)
    matrices = [confusions.sum(axis=0) for _, confusions in stored(lab, runs, "validation")]
    (row,) = board(lab).rows
    assert row.score == pytest.approx(terrain_miou(sum(matrices)))
    assert row.score != pytest.approx(statistics.mean(map(terrain_miou, matrices)), abs=1e-4)
    assert (row.n, row.sd, row.basis) == (1, None, "3 folds pooled")
    assert set(row.run_ids) == {run.id for run in runs}


def test_pooled_scores_are_averaged_over_seeds(lab: Lab) -> None:
    seeds = [finish_folds(lab, 0.1 * seed, train__seed=seed) for seed in (0, 1)]
    scores = [terrain_miou(sum(m.sum(axis=0) for _, m in stored(lab, runs, "validation"))) for runs in seeds]
    (row,) = board(lab).rows
    assert row.score == pytest.approx(statistics.mean(scores))
    assert row.sd == pytest.approx(statistics.stdev(scores))
    assert (row.n, row.basis) == (2, "3 folds pooled; mean ± sd over 2 seeds")


def test_class_scores_are_pooled_too(lab: Lab) -> None:
    runs = finish_folds(lab)
    total = sum(confusions.sum(axis=0) for _, confusions in stored(lab, runs, "validation"))
    right, seen = total[2, 2], total[1:, 2].sum()
    (row,) = board(lab).rows
    assert row.class_iou[2] == pytest.approx(right / (total[2].sum() + seen - right))


def test_on_test_tiles_it_is_the_mean_and_deviation_over_folds(lab: Lab) -> None:
    runs = finish_folds(lab)
    scores = [terrain_miou(confusions.sum(axis=0)) for _, confusions in stored(lab, runs, "test")]
    (row,) = board(lab, "test").rows
    assert row.score == pytest.approx(statistics.mean(scores))
    assert row.sd == pytest.approx(statistics.stdev(scores))
    assert (row.n, row.basis) == (3, "mean ± sd over 3 folds")


def test_unfinished_folds_say_how_many_there_are(lab: Lab) -> None:
    finish_fold(lab, 0, 0.1)
    assert [board(lab, split).rows[0].basis for split in ("validation", "test")] == ["1 of 3 folds"] * 2
    finish_fold(lab, 2, 0.1)
    assert board(lab).rows[0].basis == "2 of 3 folds pooled"
    assert board(lab, "test").rows[0].basis == "mean ± sd over 2 of 3 folds"
    state = board(lab).rows[0].folds
    assert state is not None
    assert not state.is_complete


def test_a_seed_with_fewer_folds_than_others_does_not_count_yet(lab: Lab) -> None:
    finish_folds(lab)
    alone = board(lab).rows[0].score
    finish_fold(lab, 0, 0.9, train__seed=1)
    (row,) = board(lab).rows
    assert row.score == alone
    assert (row.n, row.basis) == (1, "3 folds pooled, 1 of 2 seeds")
    assert len(row.run_ids) == 4
    assert board(lab, "test").rows[0].basis == "mean ± sd over 4 runs, of 3 folds × 2 seeds"


def test_copies_of_folds_that_nothing_makes_alike_are_pooled_apart(lab: Lab) -> None:
    first, second = (finish_folds(lab, 0.1 * copy, train__deterministic=False) for copy in (0, 1))
    scores = [
        terrain_miou(sum(m.sum(axis=0) for _, m in stored(lab, runs, "validation")))
        for runs in (first, second)
    ]
    (row,) = board(lab).rows
    assert (row.n, row.score) == (2, pytest.approx(statistics.mean(scores)))


def test_a_stopped_fold_is_pooled_with_none(lab: Lab) -> None:
    finish_folds(lab)
    run_config = config(data__folds=FOLDS, data__fold=0, train__seed=5)
    stopped = finish_run(lab, run_config, status=RunStatus.STOPPED)
    partial = next(row for row in board(lab).rows if row.is_partial)
    assert (partial.run_ids, partial.basis) == ((stopped.id,), "1 of 3 folds")


def test_configurations_are_paired_image_by_image_over_all_folds(lab: Lab) -> None:
    plain = finish_folds(lab, 0.1)
    better = finish_folds(lab, model__residual=True)
    delta = next(row.delta for row in board(lab).rows if not row.is_baseline)
    sides = []
    for runs in (better, plain):
        rows, matrices = (np.concatenate(part) for part in zip(*stored(lab, runs, "validation"), strict=True))
        sides.append(matrices[np.argsort(rows)])
    ours, theirs = sides
    assert delta is not None
    assert delta.value == pytest.approx(terrain_miou(ours.sum(axis=0)) - terrain_miou(theirs.sum(axis=0)))
    rng = np.random.default_rng(5)
    drawn = [
        terrain_miou(ours[images].sum(axis=0)) - terrain_miou(theirs[images].sum(axis=0))
        for images in rng.integers(0, len(ours), (2000, len(ours)))
    ]
    assert (delta.low, delta.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=2e-3)


def test_unfinished_folds_are_compared_on_the_images_that_both_judged(lab: Lab) -> None:
    plain = finish_folds(lab, 0.1)
    better = [finish_fold(lab, 1, 0.05, model__residual=True)]
    delta = next(row.delta for row in board(lab).rows if not row.is_baseline)
    ((_, ours),) = stored(lab, better, "validation")
    _, theirs = stored(lab, plain, "validation")[1]
    assert delta is not None
    assert delta.value == pytest.approx(terrain_miou(ours.sum(axis=0)) - terrain_miou(theirs.sum(axis=0)))


def test_every_export_says_that_folds_are_pooled(lab: Lab) -> None:
    finish_folds(lab)
    ranked = board(lab)
    (line,) = csv.DictReader(io.StringIO(services.leaderboard_text(ranked, "csv")))
    assert (line["Scored over"], line["n"]) == ("3 folds pooled", "1")
    (row,) = json.loads(services.leaderboard_text(ranked, "json"))["rows"]
    assert row["scored_over"] == "3 folds pooled"
    assert row["folds"] == {"planned": 3, "done": 3, "pooled": True, "seeds": 1, "complete": True}
    for form in ("md", "latex"):
        assert "3 folds pooled" in services.leaderboard_text(ranked, form)
    assert "mean $\\pm$ sd over 3 folds" in services.leaderboard_text(board(lab, "test"), "latex")


def test_a_board_without_folds_has_no_such_column(lab: Lab) -> None:
    finish_run(lab, config())
    (row,) = json.loads(services.leaderboard_text(board(lab), "json"))["rows"]
    assert (row["folds"], row["scored_over"]) == (None, "1 run")
    assert "Scored over" not in services.leaderboard_text(board(lab), "csv")
