from __future__ import annotations

from pathlib import Path

import pytest

from marsseg import services
from marsseg.services import comparing
from marsseg.services.lab import Lab
from marsseg.statistics import paired_difference
from tests.support.labs import config, finish_run
from tests.support.terrain import write_frames

FRAMES = {"data__dataset": "frames", "data__test_fraction": 0.4}


@pytest.fixture
def framed(lab: Lab, tmp_path: Path) -> Lab:
    """Two runs on a dataset of 12 frames of 8 tiles, 5 of them for testing."""
    services.add_dataset(lab, write_frames(tmp_path / "frames", 12), name="frames", frame_size=256)
    finish_run(lab, config(**FRAMES), error_rate=0.25)
    finish_run(lab, config(model__residual=True, **FRAMES), error_rate=0.2)
    return lab


def test_an_interval_draws_whole_frames_where_the_dataset_knows_them(framed: Lab) -> None:
    board = services.leaderboard(framed)
    delta = board.rows[0].delta
    assert delta is not None
    assert delta.low is not None
    ours, theirs = (framed.store.list_evaluations(row.run_ids, "test", "terrain_only") for row in board.rows)
    groups = services.dataset_tiles(framed, "frames").groups
    assert groups is not None
    by_frame = paired_difference(ours, theirs, "terrain", frames=groups)
    assert (delta.value, delta.low, delta.high) == (by_frame.delta, by_frame.low, by_frame.high)
    assert (delta.low, delta.high) != pytest.approx(
        (paired_difference(ours, theirs, "terrain").low, paired_difference(ours, theirs, "terrain").high)
    )


def test_where_nothing_tells_the_frames_any_more_a_difference_has_no_interval(
    framed: Lab,
) -> None:
    (framed.settings.datasets_dir / framed.store.get_dataset("frames").sha256 / "groups.npy").unlink()
    board = services.leaderboard(framed)
    top, base = board.rows
    assert top.delta is not None
    assert (top.delta.value, top.delta.low) == (pytest.approx(top.score - base.score), None)
    for form in ("json", "csv", "md", "latex"):
        assert services.leaderboard_text(board, form)


def test_a_row_too_many_for_an_interval_is_compared_on_the_same_tiles_only(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_run(lab, config(), error_rate=0.3)
    finish_run(lab, config(data__split_seed=7), error_rate=0.2)
    finish_run(lab, config(model__residual=True), error_rate=0.1)
    monkeypatch.setattr(comparing, "MAX_INTERVALS", 0)
    top, other_tiles, base = services.leaderboard(lab).rows
    assert top.delta is not None
    assert (top.delta.value, top.delta.low) == (pytest.approx(top.score - base.score), None)
    assert other_tiles.delta is None
    assert (other_tiles.is_baseline, base.is_baseline) == (False, True)


def test_a_field_without_a_say_does_not_make_other_tiles(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    finish_run(lab, config(data__folds=3, data__validation_fraction=0.2), error_rate=0.3)
    finish_run(lab, config(data__folds=3, model__residual=True), error_rate=0.1)
    monkeypatch.setattr(comparing, "MAX_INTERVALS", 0)
    top, base = services.leaderboard(lab).rows
    assert top.delta is not None
    assert top.delta.value == pytest.approx(top.score - base.score)
