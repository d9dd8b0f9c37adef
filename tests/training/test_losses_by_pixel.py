"""Hard-pixel cross-entropy and boundary loss against calculations in the tests' own lines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import log_softmax, softmax

from marsseg.training.losses import boundary, build_loss, top_k
from tests.training.loss_cases import ONES, WEIGHTS, alone, certain, value_and_gradient

pytestmark = pytest.mark.training


@pytest.fixture
def mask(rng):
    return rng.choice(5, (3, 8, 9), p=[0.3, 0.3, 0.2, 0.1, 0.1])


# Hard pixels


@pytest.mark.parametrize("share", [0.001, 0.1, 0.2, 0.5, 1.0])
def test_top_k_is_cross_entropy_of_the_hardest_labelled_pixels(mask, logits, share):
    log_p = log_softmax(logits.astype("float64"), axis=-1)[mask > 0]
    truth = mask[mask > 0]
    loss = -log_p[np.arange(len(truth)), truth]
    kept = max(1, round(share * len(truth)))
    hardest = np.argsort(-loss)[:kept]
    expected = (np.asarray(WEIGHTS)[truth] * loss)[hardest].sum() / kept
    assert float(top_k(mask, logits, WEIGHTS, share=share)) == pytest.approx(expected, rel=1e-5)


def test_top_k_moves_hard_pixels_alone(mask, logits):
    _, gradient = value_and_gradient(build_loss(alone("top_k", top_k_share=0.25), ONES), mask, logits)
    assert (np.abs(gradient).sum(axis=-1) > 0).sum() == round(0.25 * mask.size)


def test_weights_scale_hard_pixels_and_do_not_choose_them():
    mask = np.array([[[1, 4]]])
    logits = np.array([[[[0, 0, 3, 0, 0], [0, 0, 2, 0, 0]]]], "float32")  # class 1 is the harder pixel
    loss = -log_softmax(logits.astype("float64"), axis=-1)[0, 0, 0, 1]
    assert float(top_k(mask, logits, WEIGHTS, share=0.5)) == pytest.approx(0.5 * loss, rel=1e-5)


def test_pixels_equally_hard_share_the_room_that_is_left():
    mask = np.array([[[1, 2, 3, 4]]])
    logits = np.zeros((1, 1, 4, 5), "float32")  # four pixels, room for two
    weighted = np.mean(WEIGHTS[1:]) * np.log(5)
    value, gradient = value_and_gradient(build_loss(alone("top_k", top_k_share=0.5), WEIGHTS), mask, logits)
    assert value == pytest.approx(weighted, rel=1e-5)
    assert -gradient[0, 0, range(4), mask[0, 0]] == pytest.approx(0.8 * np.array(WEIGHTS[1:]) / 4, rel=1e-5)


# Boundary


def outline(p, labelled):
    """(H, W) probabilities to how far each labelled pixel rises above its lowest labelled neighbour."""
    lowest = ndimage.grey_erosion(
        np.where(labelled, p, np.inf), footprint=np.ones((3, 3)), mode="constant", cval=np.inf
    )
    return np.where(labelled, p - lowest, 0.0)


def within(values, tolerance):
    """(H, W) greatest value at most `tolerance` rows and columns away."""
    side = 2 * tolerance + 1
    return ndimage.grey_dilation(values, footprint=np.ones((side, side)), mode="constant", cval=0.0)


def boundary_by_scipy(mask, p, tolerance):
    """Mean of 1 − F1 over labelled classes with an outline, image by image and class by class."""
    losses = []
    for c in (1, 2, 3, 4):
        matched_p = length_p = matched_t = length_t = 0.0
        for truth, image in zip(mask, p, strict=True):
            labelled = truth > 0
            true, predicted = outline(1.0 * (truth == c), labelled), outline(image[..., c], labelled)
            matched_p += (predicted * within(true, tolerance)).sum()
            matched_t += (true * within(predicted, tolerance)).sum()
            length_p += predicted.sum()
            length_t += true.sum()
        if length_t:
            precision, recall = matched_p / length_p, matched_t / length_t
            losses.append(1 - 2 * precision * recall / (precision + recall))
    return np.mean(losses)


@pytest.mark.parametrize("tolerance", [1, 2, 5])
def test_boundary_agrees_with_scipy_morphology(rng, tolerance):
    coarse = rng.choice(5, (3, 4, 5), p=[0.2, 0.3, 0.3, 0.2, 0.0])
    mask = coarse.repeat(6, axis=1).repeat(6, axis=2)
    logits = (rng.normal(size=(*mask.shape, 5)) * 2).astype("float32")
    logits += 2 * np.eye(5, dtype="float32")[np.roll(mask, 2, axis=2)]
    expected = boundary_by_scipy(mask, softmax(logits.astype("float64"), axis=-1), tolerance)
    assert float(boundary(mask, logits, WEIGHTS, tolerance=tolerance)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("tolerance", "expected"), [(1, 1.0), (2, 1.0), (3, 0.0)])
def test_outlines_match_up_to_the_tolerance(tolerance, expected):
    mask = np.repeat(np.array([1] * 10 + [2] * 10), 4).reshape(20, 4).T[None]
    moved = np.roll(mask, 3, axis=2)
    moved[..., :3] = 1
    value = boundary(mask, certain(moved), WEIGHTS, tolerance=tolerance)
    # an outline is two pixels wide, one a class: a shift of three moves each class's outline by three
    assert float(value) == pytest.approx(expected, abs=1e-6)


def test_no_outline_where_labels_end():
    mask = np.ones((1, 8, 8), int)
    mask[:, 2:5, 3:6] = 0
    logits = np.random.default_rng(0).normal(size=(1, 8, 8, 5)).astype("float32")
    value, gradient = value_and_gradient(build_loss(alone("boundary"), WEIGHTS), mask, logits)
    assert value == 0
    assert not gradient.any()
    assert float(boundary(mask, logits, ONES, tolerance=2)) > 0.1  # there, background is a class
