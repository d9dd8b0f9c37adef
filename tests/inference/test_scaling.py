from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from marsseg.inference.scaling import enlarge_bands, shrink, working_size


@pytest.mark.parametrize(
    ("size", "frame_side", "expected"),
    [
        ((1024, 1024), 256, (256, 256)),
        ((1024, 1024), 512, (512, 512)),
        ((520, 1480), 256, (256, 729)),  # a panorama is as high as a frame
        ((1480, 520), 256, (729, 256)),
        ((64, 128), 256, (64, 128)),  # a training tile is at its scale already
        ((256, 256), 256, (256, 256)),
        ((1024, 1024), None, (1024, 1024)),
        ((8, 8000), 256, (8, 8000)),
    ],
)
def test_the_shorter_side_is_brought_to_that_of_a_frame_and_nothing_is_enlarged(size, frame_side, expected):
    working, scale = working_size(*size, frame_side)
    assert working == expected
    assert scale == pytest.approx(expected[0] / size[0], abs=0.002)


def test_shrinking_averages():
    image = np.kron(np.array([[0, 100], [200, 60]]), np.array([[0, 2], [4, 6]])) // 6
    expected = image.reshape(2, 2, 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(shrink(image.astype(np.uint8), (2, 2)), expected, atol=0.51)
    fine = np.indices((64, 64)).sum(axis=0) % 2 * 200  # a checkerboard must not alias
    np.testing.assert_array_equal(shrink(fine.astype(np.uint8), (16, 16)), 100)


@pytest.mark.parametrize("size", [(40, 30), (11, 7), (97, 7), (200, 301)])
@pytest.mark.parametrize("rows_at_once", [1, 2, 5, 11])
def test_enlarging_agrees_with_scipy_however_the_rows_arrive(size, rows_at_once):
    small = np.random.default_rng(0).random((11, 7, 3)).astype(np.float32)
    bands = [small[start : start + rows_at_once] for start in range(0, 11, rows_at_once)]
    large = np.concatenate(list(enlarge_bands(bands, (11, 7), size)))
    expected = ndimage.zoom(small, (size[0] / 11, size[1] / 7, 1), order=1, mode="nearest", grid_mode=True)
    assert large.dtype == np.float32
    np.testing.assert_allclose(large, expected, atol=1e-5)
