from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix, jaccard_score

from marsseg import metrics
from marsseg.errors import MarsSegError
from marsseg.metrics import (
    DECODINGS,
    LENSES,
    SPLITS,
    class_iou,
    confusion_matrices,
    decode,
    mean_iou,
    mean_ious,
)

LABELS = list(range(5))


@st.composite
def mask_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)))
    classes = st.sampled_from(sorted(draw(st.sets(st.integers(0, 4), min_size=1))))
    dtype = draw(st.sampled_from([np.uint8, np.int32, np.int64, np.uint64]))
    return draw(hnp.arrays(dtype, shape, elements=classes)), draw(
        hnp.arrays(dtype, shape, elements=st.integers(0, 4))
    )


def sklearn_iou(true: np.ndarray, pred: np.ndarray, lens: str) -> np.ndarray:
    """Per-class IoU by scikit-learn on the pixels that the lens counts; NaN for classes that do not count."""
    true, pred = true.ravel(), pred.ravel()
    if lens != "strict":
        true, pred = true[true != 0], pred[true != 0]
    expected = np.full(5, np.nan)
    for label in range(1 if lens == "terrain" else 0, 5):
        if (true == label).any() or (pred == label).any():
            expected[label] = jaccard_score(true, pred, labels=[label], average=None)[0]
    return expected


@given(mask_pairs())
@settings(max_examples=60, deadline=None)
def test_confusion_matrices_agree_with_scikit_learn(pair):
    true, pred = pair
    counts = confusion_matrices(true, pred)
    assert counts.dtype == np.int64
    for ours, image_true, image_pred in zip(counts, true, pred, strict=True):
        expected = confusion_matrix(image_true.ravel(), image_pred.ravel(), labels=LABELS)
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("lens", LENSES)
@given(pair=mask_pairs())
@settings(max_examples=60, deadline=None)
def test_lenses_agree_with_scikit_learn(lens, pair):
    true, pred = pair
    total = confusion_matrices(true, pred).sum(axis=0)
    expected = sklearn_iou(true, pred, lens)
    np.testing.assert_allclose(class_iou(total, lens), expected, rtol=1e-12)
    if np.isnan(expected).all():
        assert np.isnan(mean_iou(total, lens))
    else:
        assert mean_iou(total, lens) == pytest.approx(np.nanmean(expected), rel=1e-12)


def test_many_images_are_counted_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 5, (2, 23, 7, 9))
    whole = confusion_matrices(true, pred)
    monkeypatch.setattr(metrics, "_PIXELS_AT_ONCE", 200)
    np.testing.assert_array_equal(confusion_matrices(true, pred), whole)


def test_one_background_pixel_predicted_costs_a_fifth_under_the_course_lens():
    true = np.array([[[1, 1, 2, 2, 3, 3, 4, 4, 0, 0]]], np.uint8)
    pred = np.array([[[1, 0, 2, 2, 3, 3, 4, 4, 4, 0]]], np.uint8)
    confusion = confusion_matrices(true, pred)[0]
    # true soil: one of its two pixels is missed; big rock on a background pixel is not looked at
    np.testing.assert_array_equal(class_iou(confusion, "terrain"), [np.nan, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(class_iou(confusion, "course"), [0, 0.5, 1, 1, 1])
    # all pixels: background 1 of 3, big rock 2 of 3
    np.testing.assert_allclose(class_iou(confusion, "strict"), [1 / 3, 0.5, 1, 1, 2 / 3])
    assert mean_iou(confusion, "terrain") == pytest.approx(3.5 / 4)
    assert mean_iou(confusion, "course") == pytest.approx(3.5 / 5)
    assert mean_iou(confusion, "strict") == pytest.approx(3.5 / 5)


@pytest.mark.parametrize("prediction", LABELS)
def test_truth_that_is_all_background_has_a_score_under_the_strict_lens_alone(prediction):
    confusion = confusion_matrices(np.zeros((1, 4, 4), int), np.full((1, 4, 4), prediction))[0]
    assert np.isnan(mean_iou(confusion, "terrain"))
    assert np.isnan(mean_iou(confusion, "course"))
    assert mean_iou(confusion, "strict") == (1.0 if prediction == 0 else 0.0)


@pytest.mark.parametrize("lens", LENSES)
def test_a_class_in_neither_truth_nor_prediction_does_not_count(lens):
    true = np.array([[[1, 1, 3, 3]]])
    confusion = confusion_matrices(true, true)[0]
    np.testing.assert_array_equal(class_iou(confusion, lens), [np.nan, 1, np.nan, 1, np.nan])
    assert mean_iou(confusion, lens) == 1.0


@pytest.mark.parametrize("lens", LENSES)
def test_perfect_prediction_scores_one(lens):
    true = np.random.default_rng(1).integers(0, 5, (3, 16, 16))
    assert mean_iou(confusion_matrices(true, true).sum(axis=0), lens) == 1.0


@pytest.mark.parametrize("lens", LENSES)
def test_many_matrices_score_as_each_alone_and_are_left_unchanged(lens):
    confusions = np.random.default_rng(2).integers(0, 9, (20, 5, 5))
    confusions[0] = 0
    before = confusions.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        many = mean_ious(confusions, lens)
    np.testing.assert_array_equal(many, [mean_iou(confusion, lens) for confusion in confusions])
    np.testing.assert_array_equal(confusions, before)
    assert np.isnan(many[0])


def test_no_images_give_no_matrices():
    assert confusion_matrices(np.zeros((0, 4, 4), int), np.zeros((0, 4, 4), int)).shape == (0, 5, 5)


def test_other_numbers_of_classes_work():
    np.testing.assert_array_equal(
        confusion_matrices(np.array([[[0, 1]]]), np.array([[[1, 1]]]), n_classes=2), [[[0, 1], [0, 1]]]
    )


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((2, 3), int), "Add an axis"),
        (np.zeros((1, 2, 3), int), np.zeros((1, 3, 2), int), "shape"),
        (np.zeros((1, 2, 3)), np.zeros((1, 2, 3), int), "y_true is float64"),
        (np.zeros((1, 2, 3), int), np.full((1, 2, 3), 5), "found 5 in image 0 of y_pred"),
        (np.full((1, 2, 3), -1), np.zeros((1, 2, 3), int), "found -1 in image 0 of y_true"),
        (np.full((1, 2, 3), 255, np.uint8), np.zeros((1, 2, 3), int), "255"),
    ],
)
def test_masks_that_cannot_be_counted_are_refused_with_a_sentence(true, pred, message):
    with pytest.raises(MarsSegError, match=message):
        confusion_matrices(true, pred)


@pytest.mark.parametrize("bad", [np.zeros(5), np.zeros((5, 4)), -np.eye(5), np.full((5, 5), np.nan)])
def test_what_is_no_confusion_matrix_is_refused(bad):
    with pytest.raises(MarsSegError, match="confusion matrix"):
        class_iou(bad, "terrain")


def test_a_mean_over_several_matrices_must_be_asked_for():
    with pytest.raises(MarsSegError, match="Sum over the first axis"):
        mean_iou(np.ones((3, 5, 5)), "terrain")


def test_unknown_words_are_refused():
    with pytest.raises(MarsSegError, match="no lens 'mean'"):
        mean_iou(np.eye(5), "mean")
    with pytest.raises(MarsSegError, match="no decoding 'best'"):
        decode(np.zeros((1, 5)), "best")
    with pytest.raises(MarsSegError, match="need 5 classes"):
        decode(np.zeros((1, 4)), "argmax")


def test_decodings_differ_where_background_wins():
    logits = np.array([[[9.0, 1, 2, 0, 0], [0, 0, 0, 0, 3]]])
    np.testing.assert_array_equal(decode(logits, "argmax"), [[0, 4]])
    np.testing.assert_array_equal(decode(logits, "terrain_only"), [[2, 4]])
    for decoding in DECODINGS:
        assert decode(logits, decoding).dtype == np.uint8


def test_the_names_are_those_of_the_interfaces():
    assert LENSES == ("terrain", "course", "strict")
    assert DECODINGS == ("argmax", "terrain_only")
    assert SPLITS == ("validation", "test")
