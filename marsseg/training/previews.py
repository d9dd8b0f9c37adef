"""A few fixed validation tiles whose predicted masks are kept after every epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marsseg.classes import BIG_ROCK, N_CLASSES, TERRAIN_CLASSES
from marsseg.training.backend import EvaluationStep
from marsseg.training.files import save_array
from marsseg.training.inputs import Tiles

TILES = 8
TILES_WITH_ROCK = 3


def choose_preview_rows(masks: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Choose up to eight rows worth watching: three with the most big rock, then the most varied terrain.

    Args:
        masks: (N, H, W) uint8, the whole dataset.
        rows: validation rows; ties go to the lower one.

    Variety is the entropy of a tile's shares of the four terrain classes and background.
    """
    counts = np.array([np.bincount(masks[row].ravel(), minlength=N_CLASSES) for row in rows])
    rock = counts[:, BIG_ROCK.index]
    by_rock = [i for i in np.argsort(-rock, kind="stable") if rock[i]][:TILES_WITH_ROCK]
    by_variety = np.argsort(-_variety(counts), kind="stable")
    chosen = list(dict.fromkeys([*by_rock, *by_variety]))[:TILES]
    return rows[np.array(chosen, dtype=np.int64)]


def _variety(counts: np.ndarray) -> np.ndarray:
    """Entropy of the class shares of each tile; tiles without any terrain come last."""
    share = counts / counts.sum(axis=1, keepdims=True)
    logarithm = np.log(share, where=share > 0, out=np.zeros_like(share))
    terrain = counts[:, [terrain.index for terrain in TERRAIN_CLASSES]].any(axis=1)
    return np.where(terrain, -(share * logarithm).sum(axis=1), -1.0)


class Previews:
    """Writes `rows.npy` once and `epoch-0007.npy`, (8, H, W) uint8 argmax masks, after each epoch."""

    def __init__(self, validation: Tiles, folder: Path) -> None:
        rows = choose_preview_rows(validation.masks, validation.rows)
        self.tiles = Tiles(validation.images, validation.masks, rows, validation.standardizer)
        self.folder = folder

    def begin(self, step: EvaluationStep) -> None:
        """Write the rows and, as epoch 0, what the untrained network sees."""
        save_array(self.folder / "rows.npy", self.tiles.rows)
        self.save(0, step)

    def save(self, epoch: int, step: EvaluationStep) -> None:
        """Predict the tiles and write their masks."""
        (images, masks) = next(self.tiles.batches(len(self.tiles)))
        save_array(self.folder / f"epoch-{epoch:04d}.npy", step(images, masks)[0])
