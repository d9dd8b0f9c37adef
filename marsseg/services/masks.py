"""The same tiles through several runs: image, truth, predictions, and which tiles are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from marsseg.classes import BACKGROUND
from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.errors import NotFoundError, StateError
from marsseg.services.files import read_array, read_split
from marsseg.services.lab import Lab
from marsseg.services.runs import get_run
from marsseg.store.records import RunRecord

TileOrder = Literal["worst", "disagreement", "index"]
MAX_RUNS = 4


@dataclass(frozen=True, slots=True)
class TileView:
    """One tile through all compared runs.

    Args:
        row: dataset row.
        image: (H, W) uint8.
        truth: (H, W) uint8.
        predictions: one (H, W) uint8 mask a run.
        accuracies: share of labelled pixels that each run gets right; NaN if none is labelled.
        disagreement: share of pixels on which the runs are not of one mind.
    """

    row: int
    image: np.ndarray
    truth: np.ndarray
    predictions: tuple[np.ndarray, ...]
    accuracies: tuple[float, ...]
    disagreement: float


@dataclass(frozen=True, slots=True)
class MaskComparison:
    """Tiles that all compared runs were judged on, in the order asked for."""

    runs: tuple[RunRecord, ...]
    rows: np.ndarray
    accuracies: np.ndarray = field(repr=False)
    disagreements: np.ndarray = field(repr=False)
    _arrays: DatasetArrays = field(repr=False)
    _predictions: tuple[np.ndarray, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def tile(self, position: int) -> TileView:
        """The tile at a position of the order."""
        row = int(self.rows[position])
        return TileView(
            row=row,
            image=np.asarray(self._arrays.images[row]),
            truth=np.asarray(self._arrays.masks[row]),
            predictions=tuple(np.asarray(masks[position]) for masks in self._predictions),
            accuracies=tuple(float(value) for value in self.accuracies[:, position]),
            disagreement=float(self.disagreements[position]),
        )


def mask_comparison(
    lab: Lab,
    run_ids: Sequence[str],
    *,
    split: str = "test",
    decoding: str = "terrain_only",
    order: str = "worst",
) -> MaskComparison:
    """Line up the stored predictions of one to four runs on the tiles that they share.

    Args:
        order: "worst" puts the tile with the most wrong pixels first, over all runs, "disagreement" the one
            with the most pixels in dispute, "index" keeps the order of the dataset.

    Raises:
        NotFoundError: an unknown run or order, or too many runs.
        StateError: a run has no stored predictions, the datasets differ, or no tile is shared.
    """
    if order not in get_args(TileOrder):
        raise NotFoundError(f"There is no order {order!r}; choose one of {', '.join(get_args(TileOrder))}.")
    if not 1 <= len(run_ids) <= MAX_RUNS:
        raise NotFoundError(f"Choose one to {MAX_RUNS} runs to compare; got {len(run_ids)}.")
    runs = tuple(get_run(lab, run_id) for run_id in run_ids)
    if len({run.dataset_id for run in runs}) > 1:
        raise StateError("These runs were trained on different datasets; choose runs of one dataset.")
    stored = [_stored(lab, run, split, decoding) for run in runs]
    rows = _shared_rows([rows for rows, _ in stored])
    predictions = [masks[np.searchsorted(own, rows)] for own, masks in stored]
    arrays = open_arrays(lab.settings.datasets_dir / lab.store.get_dataset(runs[0].dataset_id).sha256)
    truth = np.asarray(arrays.masks[rows])
    wrong = np.stack([_wrong_pixels(truth, masks) for masks in predictions])
    labelled = (truth != BACKGROUND.index).sum(axis=(1, 2))
    accuracies = _accuracies(wrong, labelled)
    disagreements = _disagreement(np.stack(predictions))
    ranking = _ranking(order, wrong.sum(axis=0), disagreements)
    return MaskComparison(
        runs=runs,
        rows=rows[ranking],
        accuracies=accuracies[:, ranking],
        disagreements=disagreements[ranking],
        _arrays=arrays,
        _predictions=tuple(masks[ranking] for masks in predictions),
    )


def _stored(lab: Lab, run: RunRecord, split: str, decoding: str) -> tuple[np.ndarray, np.ndarray]:
    """Sorted dataset rows and masks of one run."""
    folder = lab.settings.run_dir(run.id)
    path = folder / "predictions" / f"{split}_{decoding}.npy"
    if not path.is_file():
        raise StateError(
            f"Run {run.id} ({run.name}) has no {split} predictions: it is {run.status}. "
            "Choose runs that have ended with an evaluation."
        )
    whose, remedy = f"Run {run.id} ({run.name})", "choose other runs, or train it again."
    masks = read_array(path, what=f"{whose} has {split} predictions that", remedy=remedy, mapped=True)
    rows = read_split(folder / "split.npz", split, whose=whose, remedy=remedy)
    if masks.ndim != 3 or len(masks) != len(rows):
        raise StateError(f"{whose} has {split} predictions of other tiles than its split names; {remedy}")
    return rows, masks


def _shared_rows(parts: Sequence[np.ndarray]) -> np.ndarray:
    shared = parts[0]
    for rows in parts[1:]:
        shared = np.intersect1d(shared, rows)
    if not len(shared):
        raise StateError("These runs share no tile: they were split differently. Choose runs of one split.")
    return shared


def _wrong_pixels(truth: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(T,) labelled pixels that are not what the truth says."""
    wrong: np.ndarray = ((truth != masks) & (truth != BACKGROUND.index)).sum(axis=(1, 2))
    return wrong


def _accuracies(wrong: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """(R, T) share of labelled pixels that are right; NaN where a tile has none."""
    nothing = np.full(wrong.shape, np.nan)
    shares: np.ndarray = np.divide(labelled - wrong, labelled, out=nothing, where=labelled > 0)
    return shares


def _disagreement(predictions: np.ndarray) -> np.ndarray:
    """(T,) share of pixels on which the (R, T, H, W) masks are not all alike."""
    disputed: np.ndarray = (predictions != predictions[:1]).any(axis=0).mean(axis=(1, 2))
    return disputed


def _ranking(order: str, wrong: np.ndarray, disagreements: np.ndarray) -> np.ndarray:
    """Positions in the order asked for."""
    if order == "index":
        return np.arange(len(disagreements))
    # A share of wrong pixels would put tiles first of which a dozen pixels are labelled.
    return np.argsort(-(wrong if order == "worst" else disagreements), kind="stable")
