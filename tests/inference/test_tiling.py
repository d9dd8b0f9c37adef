from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsseg.inference.tiling import blended_bands, cover, pad_by_reflection, round_up


@given(
    length=st.integers(1, 400),
    longest=st.integers(5, 40),
    overlap=st.integers(0, 2),
    multiple=st.sampled_from([1, 4, 8]),
)
def test_spans_cover_every_pixel_with_weights_that_sum_to_one(length, longest, overlap, multiple):
    length, longest, overlap = length * multiple, longest * multiple, overlap * multiple
    spans = cover(length, longest, overlap, multiple)
    total = np.zeros(length)
    for span in spans:
        assert span.start % multiple == 0
        assert len(span.weights) <= longest
        assert len(span.weights) % multiple == 0
        total[span.start : span.stop] += span.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)
    for first, second in pairwise(spans):
        assert first.stop - second.start >= overlap


def test_a_tile_has_little_say_near_its_edge():
    first, second = cover(100, 60, 20, 1)
    assert first.stop - second.start == 20
    shared = first.weights[second.start :]
    assert (np.diff(shared) <= 0).all()
    assert (shared[:5] > 0.999).all()
    assert (shared[-5:] < 0.001).all()
    np.testing.assert_array_equal(first.weights[: second.start], 1)


@pytest.mark.parametrize("shape", [(64, 64), (61, 300), (300, 61), (200, 200), (1, 500), (500, 1), (9, 9)])
@pytest.mark.parametrize("pixels_at_once", [1, 2_000, 10_000, 10**6])
def test_what_depends_on_single_pixels_is_the_same_in_tiles(shape, pixels_at_once):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    seen = []

    def classify(tile: np.ndarray) -> np.ndarray:
        assert tile.shape[0] % 8 == tile.shape[1] % 8 == 0
        seen.append(tile.size)
        return np.stack([tile, 255 - tile], axis=-1).astype(np.float32) / 255

    bands = list(blended_bands(image, classify, multiple=8, pixels_at_once=pixels_at_once, overlap=16))
    result = np.concatenate(bands)
    assert result.shape == (*shape, 2)
    np.testing.assert_allclose(result[..., 0], image / 255, atol=1e-6)
    np.testing.assert_allclose(result.sum(axis=-1), 1, atol=1e-6)
    assert max(seen) <= max(pixels_at_once, (2 * 16 + 8) ** 2)


def test_rows_arrive_before_the_whole_image_was_classified():
    calls = []

    def classify(tile: np.ndarray) -> np.ndarray:
        calls.append(tile.shape)
        return np.ones((*tile.shape, 4), np.float32)

    bands = blended_bands(np.zeros((4000, 64), np.uint8), classify, multiple=8, pixels_at_once=10_000)
    first = next(bands)
    assert len(calls) == 1
    assert len(first) < 500


def test_reflection_continues_even_images_smaller_than_what_is_missing():
    np.testing.assert_array_equal(
        pad_by_reflection(np.array([[1, 2, 3]], np.uint8), 8), np.tile([1, 2, 3, 2, 1, 2, 3, 2], (8, 1))
    )
    batch = np.zeros((2, 8, 16), np.uint8)
    assert pad_by_reflection(batch, 8) is batch
    assert pad_by_reflection(batch[:, :7, :9], 8).shape == (2, 8, 16)


def test_rounding_up():
    assert [round_up(value, 8) for value in (1, 8, 9)] == [8, 8, 16]
