"""The later terms of the loss against their papers' formulas, in NumPy and SciPy, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, shift
from scipy.special import log_softmax, softmax
from sklearn.metrics import jaccard_score

from marsseg.training.terms import boundary, focal_tversky, generalized_dice, lovasz_softmax, top_k, tversky

pytestmark = pytest.mark.training

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 7.0)
ONES = (1.0,) * 5


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def mask(rng):
    return rng.integers(0, 5, (2, 6, 7))


@pytest.fixture
def logits(rng):
    return (rng.normal(size=(2, 6, 7, 5)) * 3).astype("float32")


def hard(prediction):
    """Logits that leave no doubt."""
    return np.where(np.arange(5) == prediction[..., None], 200.0, -200.0).astype("float32")


def probabilities(logits):
    return softmax(logits.astype("float64"), axis=-1)


# Generalised Dice


def test_generalized_dice_weighs_classes_by_their_squared_size(mask, logits):
    mask = np.where(mask == 2, 1, mask)  # class 2 is absent
    labelled = mask > 0
    p, y = probabilities(logits)[labelled], mask[labelled]
    hits = sizes = 0.0
    for c in (1, 3, 4):
        v = 1 / (y == c).sum() ** 2
        hits += v * p[y == c, c].sum()
        sizes += v * (p[:, c].sum() + (y == c).sum())
    assert float(generalized_dice(mask, logits, WEIGHTS)) == pytest.approx(1 - 2 * hits / sizes, rel=1e-5)


def test_generalized_dice_of_a_whole_batch_with_one_rare_pixel_is_exact(rng):
    mask = np.ones((16, 64, 128), int)
    mask[3, 5, 7] = 4
    logits = rng.normal(size=(16, 64, 128, 5)).astype("float32")
    p = probabilities(logits)
    rare, common = 1.0, 1 / (mask.size - 1) ** 2
    hits = rare * p[3, 5, 7, 4] + common * p[mask == 1][:, 1].sum()
    sizes = rare * (p[..., 4].sum() + 1) + common * (p[..., 1].sum() + mask.size - 1)
    assert float(generalized_dice(mask, logits, WEIGHTS)) == pytest.approx(1 - 2 * hits / sizes, rel=1e-5)


# Focal Tversky


def class_index(mask, logits, c, alpha, beta):
    labelled = mask > 0
    p, y = probabilities(logits)[labelled][:, c], mask[labelled] == c
    hits, false_positives, false_negatives = p[y].sum(), p[~y].sum(), (1 - p[y]).sum()
    return hits / (hits + alpha * false_positives + beta * false_negatives)


@pytest.mark.parametrize("gamma", [0.75, 4 / 3, 3.0])
def test_focal_tversky_takes_the_root_class_by_class(mask, logits, gamma):
    expected = np.mean([(1 - class_index(mask, logits, c, 0.3, 0.7)) ** (1 / gamma) for c in (1, 2, 3, 4)])
    value = float(focal_tversky(mask, logits, WEIGHTS, alpha=0.3, beta=0.7, gamma=gamma))
    assert value == pytest.approx(expected, abs=max(1.1e-5 ** (1 / gamma), 1e-5 / gamma))


def test_focal_tversky_with_gamma_1_is_tversky(mask, logits):
    settings = {"alpha": 0.2, "beta": 0.9}
    value = float(focal_tversky(mask, logits, WEIGHTS, **settings, gamma=1.0))
    assert value == pytest.approx(float(tversky(mask, logits, WEIGHTS, **settings)), rel=1e-5)


# Lovász


def published_lovasz(mask, logits, classes, labelled):
    """Algorithm 1 of Berman 2018, class by class, pixel by pixel."""
    losses = []
    for c in classes:
        truth = (mask[labelled] == c).astype(int).tolist()
        if not any(truth):
            continue
        p = probabilities(logits)[labelled][:, c]
        errors = np.abs(np.asarray(truth) - p)
        wrong, before, total = 0.0, 0.0, 0.0
        remaining = sum(truth)
        union = sum(truth)
        for i in np.argsort(-errors, kind="stable"):
            remaining -= truth[i]
            union += 1 - truth[i]
            wrong = 1 - remaining / union
            total += errors[i] * (wrong - before)
            before = wrong
        losses.append(total)
    return np.mean(losses)


def test_lovasz_is_the_published_algorithm(mask, logits):
    expected = published_lovasz(mask, logits, (1, 2, 3, 4), mask > 0)
    assert float(lovasz_softmax(mask, logits, WEIGHTS)) == pytest.approx(expected, rel=1e-5)
    everything = published_lovasz(mask, logits, range(5), np.full(mask.shape, True))
    assert float(lovasz_softmax(mask, logits, ONES)) == pytest.approx(everything, rel=1e-5)


def test_lovasz_of_hard_predictions_is_one_minus_mean_iou(mask, rng):
    mask = np.where(mask == 3, 1, mask)  # predicted here and there, but not in the truth: it does not count
    prediction = rng.integers(0, 5, mask.shape)
    labelled = mask > 0
    iou = jaccard_score(mask[labelled], prediction[labelled], labels=[1, 2, 4], average="macro")
    assert float(lovasz_softmax(mask, hard(prediction), WEIGHTS)) == pytest.approx(1 - iou, rel=1e-5)


# Boundary


def published_boundary(mask, p, classes, labelled, tolerance):
    losses = []
    for c in classes:
        hits = {"true": 0.0, "predicted": 0.0}
        size = {"true": 0.0, "predicted": 0.0}
        for image in range(len(mask)):
            outlines = {}
            for name, inside in (("true", (mask[image] == c) * 1.0), ("predicted", p[image, ..., c])):
                outside = (1 - inside) * labelled[image]
                outlines[name] = (maximum_filter(outside, 3, mode="constant") - outside) * labelled[image]
            for name, other in (("true", "predicted"), ("predicted", "true")):
                near = maximum_filter(outlines[other], 2 * tolerance + 1, mode="constant")
                hits[name] += (outlines[name] * near).sum()
                size[name] += outlines[name].sum()
        if size["true"]:
            recall, precision = (hits[name] / size[name] for name in ("true", "predicted"))
            losses.append(1 - 2 * precision * recall / (precision + recall))
    return np.mean(losses)


@pytest.mark.parametrize("tolerance", [1, 2])
@pytest.mark.parametrize("weights", [WEIGHTS, ONES], ids=["unlabelled background", "all labelled"])
def test_boundary_is_the_f1_of_outlines(rng, tolerance, weights):
    mask = np.kron(rng.integers(0, 5, (2, 3, 4)), np.ones((5, 5), int))
    logits = rng.normal(size=(*mask.shape, 5)).astype("float32") * 2
    labelled = mask >= (0 if weights is ONES else 1)
    classes = range(5) if weights is ONES else range(1, 5)
    expected = published_boundary(mask, probabilities(logits), classes, labelled, tolerance)
    assert float(boundary(mask, logits, weights, tolerance=tolerance)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("pixels", "is_near"), [(0, True), (2, True), (5, False)])
def test_boundary_forgives_what_lies_within_its_tolerance(pixels, is_near):
    mask = np.ones((1, 24, 24), int)
    mask[0, 8:16, 8:16] = 3
    moved = shift(mask[0], (0, pixels), order=0, cval=1)[None]
    value = float(boundary(mask, hard(moved), WEIGHTS, tolerance=2))
    assert value == pytest.approx(0, abs=1e-5) if is_near else value > 0.2


def test_an_edge_to_unlabelled_pixels_is_no_outline(rng):
    mask = np.zeros((1, 12, 12), int)
    mask[0, 3:9, 3:9] = 2
    logits = rng.normal(size=(1, 12, 12, 5)).astype("float32")
    assert float(boundary(mask, logits, WEIGHTS, tolerance=1)) == 0
    assert float(boundary(mask, logits, ONES, tolerance=1)) > 0


# Hard pixels


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 1.0])
def test_top_k_is_the_mean_over_the_hardest_labelled_pixels(mask, logits, share):
    log_p = np.take_along_axis(log_softmax(logits.astype("float64"), axis=-1), mask[..., None], axis=-1)[
        ..., 0
    ]
    cost = -np.asarray(WEIGHTS)[mask] * log_p
    hardest = np.sort(cost[mask > 0])[::-1][: int(np.ceil(share * (mask > 0).sum()))]
    assert float(top_k(mask, logits, WEIGHTS, share=share)) == pytest.approx(hardest.mean(), rel=1e-5)


def test_top_k_of_equal_pixels_takes_no_more_than_its_share(mask):
    value = float(top_k(mask, np.zeros((*mask.shape, 5), "float32"), (0, 1, 1, 1, 1), share=0.3))
    assert value == pytest.approx(np.log(5), rel=1e-5)
