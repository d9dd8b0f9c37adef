from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from marsseg.classes import CLASSES
from marsseg.errors import ImageError
from marsseg.inference.drawing import (
    PALETTE,
    overlay,
    stretch_contrast,
    write_mask_png,
    write_overlay_png,
)

MASK = np.arange(7 * 13).reshape(7, 13).astype(np.uint8) % 5
GRAY = (np.arange(7 * 13).reshape(7, 13) * 2).astype(np.uint8)


def open_png(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["PNG"])


@pytest.mark.parametrize("mask", [MASK, MASK.T, np.full((3, 3), 4, np.uint8), MASK.astype(np.int64)])
def test_a_mask_png_holds_class_numbers_and_their_colours(mask):
    image = open_png(write_mask_png(mask))
    assert image.mode == "P"
    assert image.size == mask.shape[::-1]
    np.testing.assert_array_equal(np.asarray(image), mask)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), PALETTE[mask])
    assert image.getpalette()[:15] == [value for terrain in CLASSES for value in terrain.rgb]


def test_colours_are_those_of_the_classes():
    assert overlay(GRAY[:1, :2], np.array([[1, 4]], np.uint8), 1).tolist() == [
        [[0xD5, 0x5E, 0], [0xCC, 0x79, 0xA7]]
    ]


def test_opacity_goes_from_the_image_to_the_colours():
    gray = np.repeat(GRAY[..., None], 3, axis=-1)
    labelled = MASK != 0
    np.testing.assert_array_equal(overlay(GRAY, MASK, 0), gray)
    np.testing.assert_array_equal(overlay(GRAY, MASK, 1)[labelled], PALETTE[MASK][labelled])
    half = overlay(GRAY, MASK, 0.5)[labelled]
    expected = (gray[labelled].astype(float) + PALETTE[MASK][labelled]) / 2
    np.testing.assert_allclose(half, expected, atol=0.51)


def test_only_chosen_classes_are_coloured_and_background_only_when_asked():
    gray = np.repeat(GRAY[..., None], 3, axis=-1)
    some = overlay(GRAY, MASK, 1, classes=[0, 3])
    for terrain in CLASSES:
        there = terrain.index == MASK
        expected = PALETTE[MASK] if terrain.index in {0, 3} else gray
        np.testing.assert_array_equal(some[there], expected[there])
    np.testing.assert_array_equal(overlay(GRAY, MASK)[MASK == 0], gray[MASK == 0])
    np.testing.assert_array_equal(overlay(GRAY, MASK, classes=[]), gray)


def test_an_overlay_png_is_the_overlay():
    image = open_png(write_overlay_png(GRAY, MASK, 0.3, contrast=True))
    np.testing.assert_array_equal(np.asarray(image), overlay(GRAY, MASK, 0.3, contrast=True))
    assert not np.array_equal(overlay(GRAY, MASK, 0.3), overlay(GRAY, MASK, 0.3, contrast=True))


def test_large_overlays_are_drawn_in_parts(monkeypatch):
    whole = overlay(GRAY, MASK)
    monkeypatch.setattr("marsseg.inference.drawing._PIXELS_AT_ONCE", 30)
    np.testing.assert_array_equal(overlay(GRAY, MASK), whole)


def test_stretching_ignores_a_few_extreme_pixels():
    image = np.random.default_rng(0).integers(40, 61, (100, 100)).astype(np.uint8)
    image[0, :3] = 255
    stretched = stretch_contrast(image)
    assert stretched[image == 40].max() == 0
    assert stretched[image == 60].min() == 255
    np.testing.assert_allclose(stretched[image == 50], 127.5, atol=1)
    assert (np.diff(stretched.ravel()[np.argsort(image, axis=None)].astype(int)) >= 0).all()


def test_stretching_leaves_a_uniform_image_alone():
    uniform = np.full((9, 9), 77, np.uint8)
    np.testing.assert_array_equal(stretch_contrast(uniform), uniform)


@pytest.mark.parametrize("draw", [write_mask_png, lambda mask: overlay(mask, mask)])
@pytest.mark.parametrize(
    "mask", [np.array([[5]], np.uint8), np.array([[-1]]), np.zeros((2, 2)), np.zeros(4, int)]
)
def test_what_is_no_mask_is_refused(draw, mask):
    with pytest.raises(ImageError, match=r"Mask values must be 0–4|A mask to draw"):
        draw(mask)


def test_sizes_must_agree():
    with pytest.raises(ImageError, match="Image and mask must have one size"):
        overlay(GRAY, MASK.T)
