from __future__ import annotations

import numpy as np
import pytest

from marsseg import services
from marsseg.errors import NotFoundError, StateError
from marsseg.services.lab import Lab
from tests.support.labs import config, finish_run, queue_run


@pytest.fixture
def run_ids(lab: Lab) -> list[str]:
    return [
        finish_run(lab, config(train__seed=seed), error_rate=rate).id for seed, rate in ((1, 0.1), (2, 0.5))
    ]


def test_tiles_line_up_image_truth_and_every_prediction(lab: Lab, run_ids: list[str]) -> None:
    comparison = services.mask_comparison(lab, run_ids, order="index")
    assert len(comparison) == 6
    tile = comparison.tile(2)
    right = [(mask == tile.truth)[tile.truth != 0].mean() for mask in tile.predictions]
    assert tile.accuracies == pytest.approx(right)
    assert right[0] > right[1]
    first, second = tile.predictions
    assert tile.disagreement == pytest.approx((first != second).mean())


def test_orders_put_the_worst_and_the_most_disputed_first(lab: Lab, run_ids: list[str]) -> None:
    worst = services.mask_comparison(lab, run_ids, order="worst")
    tiles = [worst.tile(i) for i in range(len(worst))]
    wrong = [
        sum(((mask != tile.truth) & (tile.truth != 0)).sum() for mask in tile.predictions) for tile in tiles
    ]
    assert wrong == sorted(wrong, reverse=True)
    disputed = services.mask_comparison(lab, run_ids, order="disagreement")
    shares = [disputed.tile(i).disagreement for i in range(len(disputed))]
    assert shares == sorted(shares, reverse=True)
    index = services.mask_comparison(lab, run_ids, order="index")
    assert sorted(worst.rows) == sorted(disputed.rows) == list(index.rows)


def test_a_tile_with_few_labels_is_not_the_worst_for_missing_them(lab: Lab) -> None:
    run = finish_run(lab, config(), error_rate=0.5)
    rows = services.mask_comparison(lab, [run.id], order="index").rows
    masks = np.load(
        lab.settings.datasets_dir / lab.store.get_dataset(run.dataset_id).sha256 / "masks.npy", "r+"
    )
    masks[rows[0]] = 0
    masks[rows[0], 0, :2] = 1
    path = lab.settings.run_dir(run.id) / "predictions" / "test_terrain_only.npy"
    predictions = np.load(path, "r+")
    predictions[0] = 2
    masks.flush(), predictions.flush()
    worst = services.mask_comparison(lab, [run.id], order="worst")
    assert worst.rows[-1] == rows[0]
    assert worst.tile(len(worst) - 1).accuracies == (0.0,)


def test_runs_of_different_splits_share_what_they_share(lab: Lab, run_ids: list[str]) -> None:
    other = finish_run(lab, config(data__split_seed=3, data__test_fraction=0.5)).id
    ours = set(services.mask_comparison(lab, run_ids[:1]).rows.tolist())
    theirs = set(services.mask_comparison(lab, [other]).rows.tolist())
    both = services.mask_comparison(lab, [run_ids[0], other])
    assert set(both.rows.tolist()) == ours & theirs


def test_runs_without_predictions_and_too_many_runs_are_refused(lab: Lab, run_ids: list[str]) -> None:
    with pytest.raises(StateError, match="no test predictions"):
        services.mask_comparison(lab, [queue_run(lab, config(train__seed=9)).id])
    with pytest.raises(NotFoundError, match="one to 4"):
        services.mask_comparison(lab, run_ids * 3)
    with pytest.raises(NotFoundError, match="order"):
        services.mask_comparison(lab, run_ids, order="best")


@pytest.mark.parametrize("content", [b"", b"junk", "other tiles"], ids=["empty", "junk", "other tiles"])
def test_predictions_that_are_damaged_are_told(lab: Lab, run_ids: list[str], content: bytes | str) -> None:
    path = lab.settings.run_dir(run_ids[0]) / "predictions" / "test_terrain_only.npy"
    if isinstance(content, str):
        np.save(path, np.zeros((3, 7), np.uint8))
    else:
        path.write_bytes(content)
    with pytest.raises(StateError, match=f"{run_ids[0]} .*predictions.*choose other runs"):
        services.mask_comparison(lab, run_ids)


def test_a_split_that_is_damaged_is_told(lab: Lab, run_ids: list[str]) -> None:
    (lab.settings.run_dir(run_ids[0]) / "split.npz").write_bytes(b"junk")
    with pytest.raises(StateError, match=r"split\.npz that cannot be read"):
        services.mask_comparison(lab, run_ids)
