"""A dataset in which some tiles are copies of others, as the leak guard looks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marsseg import services
from marsseg.services.lab import Lab
from tests.support.terrain import tiles

COPIES = "copies"
N_TILES, N_COPIES = 57, 3
PAIRS = [(row, N_TILES + row) for row in range(N_COPIES)]
"""Row 0 and 57 show one picture, and so on; the copy is mirrored, and a little brighter."""


def add_copies(lab: Lab, folder: Path) -> None:
    """Add a dataset whose last tiles are mirrored, brighter copies of the first ones."""
    images, masks = tiles(N_TILES, seed=3)
    images = np.concatenate([images, np.clip(images[:N_COPIES, :, ::-1] + 9.0, 0, 255).astype(np.uint8)])
    masks = np.concatenate([masks, masks[:N_COPIES, :, ::-1]])
    path = folder / "copies.npz"
    pairs = np.stack([images, masks], axis=1).astype(np.float64)
    np.savez(path, training_set=pairs, test_set=images[:2])
    services.add_dataset(lab, path, name=COPIES)
