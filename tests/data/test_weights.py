from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marsseg.config import ClassWeightConfig
from marsseg.data.weights import class_weights

REAL = [7768576, 4848000, 6659000, 1570000, 135650]
COUNTS = st.lists(st.integers(0, 10**8), min_size=5, max_size=5)
BALANCED = st.sampled_from(["inverse_frequency", "effective_number"])


def mean_labelled_weight(weights: np.ndarray, counts: list[int]) -> float:
    return float(np.dot(counts[1:], weights[1:]) / np.sum(counts[1:]))


def test_inverse_frequency_by_hand() -> None:
    """Four classes share the total weight evenly: w_c = (n_1 + … + n_4) / (4 n_c)."""
    weights = class_weights(ClassWeightConfig(mode="inverse_frequency"), [999, 100, 200, 400, 100])
    np.testing.assert_allclose(weights, [0, 2, 1, 0.5, 2])


def test_effective_number_by_hand() -> None:
    config = ClassWeightConfig(mode="effective_number", effective_beta=0.9)
    counts = [5, 1, 2, 3, 4]
    raw = np.array([0.1 / (1 - 0.9**n) for n in counts[1:]])
    expected = raw * 10 / np.dot(raw, counts[1:])
    np.testing.assert_allclose(class_weights(config, counts), [0, *expected], rtol=1e-12)


def test_effective_number_runs_from_none_to_inverse_frequency() -> None:
    flat = class_weights(ClassWeightConfig(mode="effective_number", effective_beta=0.0), REAL)
    steep = class_weights(ClassWeightConfig(mode="effective_number", effective_beta=1 - 1e-12), REAL)
    np.testing.assert_allclose(flat, [0, 1, 1, 1, 1])
    inverse = class_weights(ClassWeightConfig(mode="inverse_frequency"), REAL)
    np.testing.assert_allclose(steep, inverse, rtol=1e-3)


def test_none_and_manual_ignore_the_counts() -> None:
    assert class_weights(ClassWeightConfig(background=0.3), REAL).tolist() == [0.3, 1, 1, 1, 1]
    manual = ClassWeightConfig(mode="manual", manual=(0.1, 1.0, 2.0, 3.0, 4.0), background=9.0)
    assert class_weights(manual, REAL).tolist() == [0.1, 1, 2, 3, 4]


@given(counts=COUNTS, mode=BALANCED, beta=st.floats(0, 1, exclude_max=True), background=st.floats(0, 100))
def test_mean_labelled_pixel_weighs_one(counts: list[int], mode: str, beta: float, background: float) -> None:
    assume(sum(counts[1:]) > 0)
    config = ClassWeightConfig(mode=mode, effective_beta=beta, background=background)  # type: ignore[arg-type]
    weights = class_weights(config, counts)
    assert mean_labelled_weight(weights, counts) == pytest.approx(1, rel=1e-9)
    assert weights[0] == background
    assert np.isfinite(weights).all()
    for count, weight in zip(counts[1:], weights[1:], strict=True):
        assert (weight > 0) == (count > 0)


@given(counts=COUNTS, mode=BALANCED, cap=st.floats(0.01, 500), background=st.floats(0, 100))
def test_no_weight_exceeds_the_cap_and_the_mean_holds(
    counts: list[int], mode: str, cap: float, background: float
) -> None:
    assume(sum(counts[1:]) > 0)
    config = ClassWeightConfig(mode=mode, cap=cap, background=background)  # type: ignore[arg-type]
    weights = class_weights(config, counts)
    assert weights.max() <= cap * (1 + 1e-9)
    assert mean_labelled_weight(weights, counts) == pytest.approx(min(1.0, cap), rel=1e-9)


@given(counts=COUNTS, mode=BALANCED, cap=st.none() | st.floats(1, 500))
def test_a_rarer_class_never_weighs_less(counts: list[int], mode: str, cap: float | None) -> None:
    weights = class_weights(ClassWeightConfig(mode=mode, cap=cap), counts)  # type: ignore[arg-type]
    present = [c for c in range(1, 5) if counts[c]]
    ordered = sorted(present, key=lambda c: counts[c])
    assert all(weights[a] >= weights[b] * (1 - 1e-9) for a, b in pairwise(ordered))


def test_a_loose_cap_changes_nothing() -> None:
    free = class_weights(ClassWeightConfig(mode="inverse_frequency"), REAL)
    loose = class_weights(ClassWeightConfig(mode="inverse_frequency", cap=1000.0), REAL)
    np.testing.assert_array_equal(free, loose)


def test_the_real_rare_class_is_capped() -> None:
    free = class_weights(ClassWeightConfig(mode="inverse_frequency"), REAL)
    capped = class_weights(ClassWeightConfig(mode="inverse_frequency", cap=5.0), REAL)
    assert free[4] > 20
    assert capped[4] == 5
    np.testing.assert_allclose(capped[1:4] / free[1:4], capped[1] / free[1])


@pytest.mark.parametrize("mode", ["inverse_frequency", "effective_number"])
def test_nothing_labelled_weighs_nothing(mode: str) -> None:
    weights = class_weights(ClassWeightConfig(mode=mode), [100, 0, 0, 0, 0])  # type: ignore[arg-type]
    assert weights.tolist() == [0] * 5
