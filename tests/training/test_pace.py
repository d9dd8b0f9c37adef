from __future__ import annotations

import pytest

from marsseg.training.pace import Pace


def test_nothing_is_known_before_the_second_step():
    pace = Pace(batch_size=16, steps=10)
    pace.step_took(25.0)
    assert pace.has_begun
    assert pace.images_per_second is None
    assert pace.step_seconds is None
    assert pace.seconds_left(1, epochs_after_this=3) is None


def test_a_step_takes_what_most_of_the_last_twenty_took():
    pace = Pace(batch_size=16, steps=100)
    assert not pace.has_begun
    for seconds in (25.0, *[9.0] * 10, *[0.5] * 19, 60.0):
        pace.step_took(seconds)
    assert pace.step_seconds == 0.5


def test_the_step_that_builds_the_graph_does_not_count():
    pace = Pace(batch_size=16, steps=10)
    for seconds in (25.0, 0.5, 0.5):
        pace.step_took(seconds)
    assert pace.images_per_second == pytest.approx(32)
    assert pace.epoch_ended(0.0) == pytest.approx(32)


def test_time_left_adds_steps_and_the_pauses_between_epochs():
    pace = Pace(batch_size=16, steps=3)
    for seconds in (25.0, 0.5, 0.5):
        pace.step_took(seconds)
    pace.epoch_ended(2.0)
    # this epoch: 3 steps, of which 1 is done; then two more epochs; three validations at 2 s
    assert pace.seconds_left(1, epochs_after_this=2) == pytest.approx((2 + 6) * 0.5 + 3 * 2.0)


def test_speed_follows_the_last_twenty_steps():
    pace = Pace(batch_size=10, steps=100)
    pace.step_took(9.0)
    for _ in range(30):
        pace.step_took(1.0)
    for _ in range(20):
        pace.step_took(0.5)
    assert pace.images_per_second == pytest.approx(20)


def test_an_epoch_of_one_single_step_has_a_speed():
    pace = Pace(batch_size=8, steps=1)
    pace.step_took(4.0)
    assert pace.epoch_ended(1.0) == pytest.approx(2)
