from __future__ import annotations

import numpy as np
import pytest

from marsseg.training.previews import choose_preview_rows

pytestmark = pytest.mark.training  # its module loads TensorFlow


def tile(**pixels: int) -> np.ndarray:
    """A 4×8 mask with the given number of pixels of c1 … c4; the rest is background."""
    flat = np.zeros(32, np.uint8)
    start = 0
    for name, count in pixels.items():
        flat[start : start + count] = int(name[1])
        start += count
    return flat.reshape(4, 8)


def test_rock_comes_first_then_variety():
    masks = np.stack(
        [
            tile(c1=32),
            tile(c1=16, c2=16),
            tile(c1=30, c4=2),
            tile(c1=8, c2=8, c3=8),
            tile(c3=20, c4=12),
            tile(),
        ]
    )
    assert choose_preview_rows(masks, np.arange(6)).tolist() == [4, 2, 3, 1, 0, 5]


def test_at_most_eight_of_the_given_rows_are_chosen_and_always_the_same():
    generator = np.random.default_rng(0)
    masks = generator.integers(0, 5, (40, 4, 8), dtype=np.uint8)
    rows = np.arange(5, 35)
    chosen = choose_preview_rows(masks, rows)
    assert len(set(chosen.tolist())) == 8
    assert set(chosen.tolist()) <= set(rows.tolist())
    np.testing.assert_array_equal(choose_preview_rows(masks, rows), chosen)
