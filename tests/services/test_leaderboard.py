from __future__ import annotations

import csv
import io
import json
import statistics

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from marsseg import services
from marsseg.errors import NotFoundError
from marsseg.services.lab import Lab
from marsseg.store.records import RunStatus
from tests.support.labs import DATASET, config, epoch_record, finish_run, queue_run, start_run


def _board(lab: Lab, **query: str) -> services.Leaderboard:
    return services.leaderboard(lab, services.LeaderboardQuery(**query))


def test_an_empty_store_has_an_empty_board(lab: Lab) -> None:
    queue_run(lab, config())
    board = _board(lab)
    assert board.rows == ()
    assert board.baseline is None


def test_scores_agree_with_scikit_learn_on_the_stored_masks(lab: Lab) -> None:
    run = finish_run(lab, config(), error_rate=0.3)
    split = services.split_of(lab, run.config.data)
    truth = services.dataset_tiles(lab, DATASET).masks[split.test]
    masks = np.load(lab.settings.run_dir(run.id) / "predictions" / "test_terrain_only.npy")
    labelled = truth != 0
    expected = jaccard_score(truth[labelled], masks[labelled], labels=[1, 2, 3, 4], average="macro")
    (row,) = _board(lab).rows
    assert row.score == pytest.approx(expected)
    assert np.isnan(row.class_iou[0])


def test_repeats_are_one_row_with_mean_and_standard_deviation(lab: Lab) -> None:
    runs = [finish_run(lab, config(train__seed=seed), error_rate=0.1 * seed) for seed in (1, 2, 3)]
    singles = []
    for run in runs:
        document = services.run_document(lab, run.id)
        singles.append(document["scores"]["test"]["terrain"]["terrain_only"]["mean_iou"])
    (row,) = _board(lab).rows
    assert row.n == 3
    assert row.score == pytest.approx(statistics.mean(singles))
    assert row.sd == pytest.approx(statistics.stdev(singles))


def test_rows_are_ranked_and_compared_to_the_chosen_baseline(lab: Lab) -> None:
    plain = finish_run(lab, config(), error_rate=0.3)
    better = finish_run(lab, config(model__residual=True), error_rate=0.1)
    board = _board(lab)
    assert [row.run_ids for row in board.rows] == [(better.id,), (plain.id,)]
    top, base = board.rows
    assert base.delta is None
    assert top.delta is not None
    assert top.delta.value == pytest.approx(top.score - base.score)
    assert top.delta.low is not None
    assert 0 < top.delta.low < top.delta.value < top.delta.high
    turned = _board(lab, baseline=better.id)
    assert turned.rows[0].delta is None
    assert turned.rows[1].delta is not None
    assert turned.rows[1].delta.value == pytest.approx(-top.delta.value)


def test_only_toggles_that_differ_are_columns(lab: Lab) -> None:
    finish_run(lab, config())
    finish_run(lab, config(model__residual=True, train__seed=4))
    assert _board(lab).toggles == ("model.residual",)


def test_rows_are_named_by_what_differs_unless_a_person_named_them(lab: Lab) -> None:
    finish_run(lab, config())
    finish_run(lab, config(model__squeeze_excite=True))
    finish_run(lab, config(model__residual=True, name="my favourite"))
    assert {"+SE", "my favourite"} <= {row.name for row in _board(lab).rows}


def test_a_name_typed_later_is_on_the_board_unless_it_is_of_one_repeat_among_others(lab: Lab) -> None:
    finish_run(lab, config())
    run = finish_run(lab, config(model__squeeze_excite=True))
    services.rename(lab, run.id, "my best network")
    assert "my best network" in {row.name for row in _board(lab).rows}
    finish_run(lab, config(model__squeeze_excite=True, train__seed=1))
    assert "+SE" in {row.name for row in _board(lab).rows}


def test_lenses_and_decodings_change_the_score(lab: Lab) -> None:
    finish_run(lab, config(), error_rate=0.4)
    scores = {
        (lens, decoding): _board(lab, lens=lens, decoding=decoding).rows[0].score
        for lens in ("terrain", "course", "strict")
        for decoding in ("argmax", "terrain_only")
    }
    assert scores["course", "argmax"] < scores["terrain", "argmax"]
    assert len(set(scores.values())) >= 4


def test_an_unknown_word_or_baseline_is_refused(lab: Lab) -> None:
    finish_run(lab, config())
    with pytest.raises(NotFoundError, match="lens"):
        services.make_query("terain", "argmax", "test")
    with pytest.raises(NotFoundError, match="baseline"):
        _board(lab, baseline="nothing")


def test_an_unknown_baseline_of_an_empty_board_is_refused_too(lab: Lab) -> None:
    with pytest.raises(NotFoundError, match=r"'nothing'.*no run has been scored"):
        _board(lab, baseline="nothing")
    with pytest.raises(NotFoundError, match=f"no run on {DATASET} has been scored"):
        _board(lab, baseline="nothing", dataset=DATASET)


def test_a_baseline_goes_by_all_that_names_a_run_also_an_older_copy(lab: Lab) -> None:
    older = finish_run(lab, config(), name="plain")
    finish_run(lab, config(), name="plain again")
    better = finish_run(lab, config(model__residual=True))
    stopped = finish_run(lab, config(train__seed=1), epochs=2, status=RunStatus.STOPPED)
    for named in (older.id, older.id[:-2], "plain", older.fingerprint):
        assert _board(lab, baseline=named).baseline == older.fingerprint
    assert _board(lab, baseline=better.id[:-2]).baseline == better.fingerprint
    assert _board(lab, baseline=stopped.id[:-2]).baseline == stopped.id
    with pytest.raises(NotFoundError, match="fits 4 runs"):
        _board(lab, baseline="r-")


def test_text_formats_hold_the_same_rows(lab: Lab) -> None:
    finish_run(lab, config())
    finish_run(lab, config(model__residual=True, name="a|b & =c_%"))
    board = _board(lab)
    table = list(csv.DictReader(io.StringIO(services.leaderboard_text(board, "csv"))))
    document = json.loads(services.leaderboard_text(board, "json"))
    assert [float(row["Mean IoU"]) for row in table] == pytest.approx(
        [row["mean_iou"] for row in document["rows"]], abs=1e-4
    )
    markdown = services.leaderboard_text(board, "md").splitlines()
    assert len(markdown) == 2 + 2 + 2
    assert markdown[-1].startswith("dataset: bands · split: test · lens: terrain")
    assert any(r"a\|b" in line for line in markdown)
    latex = services.leaderboard_text(board, "latex")
    assert r"a|b \& =c\_\%" in latex
    assert latex.count(r"\\") == 3


def test_every_form_says_what_its_scores_are_of(lab: Lab) -> None:
    finish_run(lab, config(), name="plain")
    board = _board(lab, lens="strict", decoding="argmax", split="validation")
    for form in ("csv", "md", "latex"):
        text = services.leaderboard_text(board, form).replace("\\", "")
        assert all(word in text for word in (DATASET, "strict", "argmax", "validation", "plain")), form
    document = json.loads(services.leaderboard_text(board, "json"))
    assert (document["lens"], document["decoding"], document["split"]) == ("strict", "argmax", "validation")
    assert document["rows"][0]["is_baseline"] is True


def test_a_stopped_run_is_no_repeat_and_an_untrained_one_no_row(lab: Lab) -> None:
    done = finish_run(lab, config())
    stopped = finish_run(lab, config(train__seed=1), epochs=2, status=RunStatus.STOPPED, error_rate=0.1)
    finish_run(lab, config(train__seed=2), epochs=0, status=RunStatus.STOPPED)
    finish_run(lab, config(train__seed=3), status=RunStatus.FAILED)
    top, base = _board(lab).rows
    assert (top.run_ids, base.run_ids) == ((stopped.id,), (done.id,))
    assert top.is_partial
    assert top.name.endswith("(stopped early)")
    assert base.is_baseline
    assert top.key != base.key
    assert _board(lab, baseline=stopped.id).baseline == top.key


def test_a_run_whose_scores_are_of_weights_before_its_best_ones_leaves_the_board(lab: Lab) -> None:
    run = finish_run(lab, config(), status=RunStatus.STOPPED)
    assert [row.run_ids for row in _board(lab).rows] == [(run.id,)]
    lab.store.requeue(run.id)
    _, token = start_run(lab, run.id)
    lab.store.add_epoch(run.id, token, epoch_record(4), is_best=True)
    lab.store.finish(run.id, token, RunStatus.STOPPED, "stopped; not evaluated, as asked", best_epoch=4)
    assert _board(lab).rows == ()
    assert services.usable_runs(lab) == []
    assert services.run_document(lab, run.id)["scores"] == {}


def test_copies_with_one_seed_are_no_repeats(lab: Lab) -> None:
    finish_run(lab, config(), error_rate=0.2)
    latest = finish_run(lab, config(), error_rate=0.2)
    (row,) = _board(lab).rows
    assert (row.n, row.sd, row.run_ids) == (1, None, (latest.id,))
    other_seed = finish_run(lab, config(train__seed=1), error_rate=0.3)
    (row,) = _board(lab).rows
    assert (row.n, row.run_ids) == (2, (latest.id, other_seed.id))
    assert row.sd is not None


def test_runs_that_nothing_makes_alike_are_repeats_even_with_one_seed(lab: Lab) -> None:
    for _ in range(2):
        finish_run(lab, config(train__deterministic=False))
    assert _board(lab).rows[0].n == 2


def test_scores_on_other_tiles_are_compared_on_the_common_ones(lab: Lab) -> None:
    runs = [
        finish_run(lab, config(data__test_fraction=0.4, data__split_seed=seed), error_rate=rate)
        for seed, rate in ((0, 0.3), (7, 0.1))
    ]
    splits = [services.split_of(lab, run.config.data).test for run in runs]
    common = np.intersect1d(*splits)
    assert 2 <= len(common) < len(splits[0])
    truth = services.dataset_tiles(lab, DATASET).masks[common]
    scores = []
    for run, split in zip(runs, splits, strict=True):
        masks = np.load(lab.settings.run_dir(run.id) / "predictions" / "test_terrain_only.npy")
        predicted = masks[np.searchsorted(split, common)]
        labelled = truth != 0
        scores.append(
            jaccard_score(truth[labelled], predicted[labelled], labels=[1, 2, 3, 4], average="macro")
        )
    top, _ = _board(lab).rows
    assert top.delta is not None
    assert top.delta.value == pytest.approx(scores[1] - scores[0])
    assert top.delta.value != pytest.approx(top.score - _board(lab).rows[1].score, abs=1e-6)
    assert top.delta.shared_tiles == len(common)


def test_a_difference_on_fewer_tiles_says_on_how_many(lab: Lab) -> None:
    for seed in (0, 7):
        finish_run(lab, config(data__test_fraction=0.4, data__split_seed=seed))
    finish_run(lab, config(data__test_fraction=0.4, model__residual=True))
    board = _board(lab)
    (tiles,) = {row.delta.shared_tiles for row in board.rows if row.delta} - {None}
    table = list(csv.DictReader(io.StringIO(services.leaderboard_text(board, "csv"))))
    assert sorted(row["Δ tiles"] for row in table) == ["", "", str(tiles)]
    rows = json.loads(services.leaderboard_text(board, "json"))["rows"]
    assert [row["delta"]["shared_tiles"] for row in rows if row["delta"]].count(tiles) == 1


def test_tiles_need_no_column_where_all_rows_share_a_split(lab: Lab) -> None:
    finish_run(lab, config())
    finish_run(lab, config(model__residual=True))
    board = _board(lab)
    assert not board.has_other_tiles
    assert "Δ tiles" not in services.board_columns(board)


def test_a_name_is_never_a_spreadsheet_formula(lab: Lab) -> None:
    for seed, name in enumerate(["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "@SUM(1)", "-1+2"]):
        finish_run(lab, config(name=name, model__leaky_slope=0.1, data__split_seed=seed))
    finish_run(lab, config(model__residual=True))
    text = services.leaderboard_text(_board(lab), "csv")
    table = list(csv.DictReader(io.StringIO(text)))
    guarded = [row["What differs"].startswith("'") for row in table]
    assert guarded.count(True) == 4
    assert "+residual" in [row["What differs"].split(",")[0] for row in table]
    assert not any(row["Δ"].startswith("'") for row in table)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["baseline", "+residual", "+SE"]),
        ("+res", ["+residual"]),
        ("residual connections", ["+residual"]),
        ("SQUEEZE +se", ["+SE"]),
        ("RESIDUAL +se", []),
        ("sidual", []),
    ],
)
def test_a_filter_keeps_rows_with_words_that_begin_like_its_own(
    lab: Lab, words: str, names: list[str]
) -> None:
    finish_run(lab, config(), name="baseline")
    finish_run(lab, config(model__residual=True))
    finish_run(lab, config(model__squeeze_excite=True))
    shown = services.filter_board(services.leaderboard(lab), words)
    assert sorted(row.name for row in shown.rows) == sorted(names)
