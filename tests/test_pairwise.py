from __future__ import annotations

import itertools

from tests.pairwise import pairwise

CHOICES = {"gate": ("none", "gated", "attention"), "residual": (False, True), "encoder": ("a", "b", "c", "d")}


def test_every_two_values_meet():
    rows = pairwise(CHOICES)
    for first, second in itertools.combinations(CHOICES, 2):
        met = {(row[first], row[second]) for row in rows}
        assert met == set(itertools.product(CHOICES[first], CHOICES[second]))


def test_the_sample_is_about_as_small_as_it_can_be():
    assert 12 <= len(pairwise(CHOICES)) <= 14  # the two longest choices alone have 3 · 4 pairs


def test_the_sample_is_the_same_each_time():
    assert pairwise(CHOICES) == pairwise(CHOICES)
