from __future__ import annotations

import math

import pytest

from marsseg.ui import formats


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.7123,), "0.712"),
        ((0.7123, 0.0081, 3), "0.712 ± 0.008 (n = 3)"),
        ((0.7123, math.nan, 3), "0.712"),
        ((0.7123, 0.0, 1), "0.712"),
        ((None,), "–"),
        ((math.nan, 0.1, 3), "–"),
    ],
)
def test_score(arguments, text):
    assert formats.score(*arguments) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.014, "+1.4 points"),
        (-0.003, "−0.3 points"),
        (0.0004, "0.0 points"),
        (-0.0004, "0.0 points"),
        (None, "–"),
        (math.inf, "–"),
    ],
)
def test_points_are_signed_hundredths(difference, text):
    assert formats.points(difference) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.356, "35.6 %"), (0.0013, "0.13 %"), (0.0, "0.0 %"), (1.0, "100.0 %"), (None, "–")],
)
def test_percent_shows_rare_classes(share, text):
    assert formats.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.81, "0.8 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (750, "12 min 30 s"),
        (3600, "1 h"),
        (3 * 3600 + 5 * 60 + 59, "3 h 5 min"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
        (-1, "–"),
        (math.nan, "–"),
    ],
)
def test_duration(seconds, text):
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute left"),
        (240, "about 4 min left"),
        (2 * 3600, "about 2 h left"),
        (5430, "about 1.5 h left"),
        (None, "–"),
    ],
)
def test_time_left(seconds, text):
    assert formats.time_left(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2505, "2,505"), (0, "0"), (1e6, "1,000,000"), (math.nan, "–"), (None, "–")]
)
def test_count(value, text):
    assert formats.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (640, "640"),
        (482_117, "482 k"),
        (999_800, "1.00 M"),
        (1_943_000, "1.94 M"),
        (3.1e9, "3.10 G"),
        (None, "–"),
    ],
)
def test_compact(value, text):
    assert formats.compact(value) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (512, "512 B"),
        (75_001_810, "75.0 MB"),
        (999_990, "1.0 MB"),
        (1.2e9, "1.2 GB"),
        (4e12, "4.0 TB"),
        (None, "–"),
    ],
)
def test_size(n_bytes, text):
    assert formats.size(n_bytes) == text


@pytest.mark.parametrize(("value", "text"), [(42.4, "42 images/s"), (3.14, "3.1 images/s"), (None, "–")])
def test_rate(value, text):
    assert formats.rate(value) == text
