from __future__ import annotations

from marsseg.execution.clocks import AwakeClock, Unchanged


def test_the_awake_clock_moves_with_time() -> None:
    clock = AwakeClock(longest_step=10)

    assert [clock.advance(now) for now in (100, 101, 103.5)] == [0, 1, 3.5]


def test_hours_asleep_count_as_one_step() -> None:
    clock = AwakeClock(longest_step=10)
    clock.advance(100)

    assert clock.advance(100 + 8 * 3600) == 10


def test_a_clock_set_back_stands_still_and_goes_on() -> None:
    clock = AwakeClock(longest_step=10)
    clock.advance(10_000)

    assert clock.advance(10_000 - 3600) == 0
    assert clock.advance(10_000 - 3599) == 1


def test_a_new_value_starts_the_count_anew() -> None:
    unchanged = Unchanged()

    assert unchanged.seconds("a", at=5) == 0
    assert unchanged.seconds("a", at=8) == 3
    assert unchanged.seconds("b", at=9) == 0
    assert unchanged.seconds(None, at=10) == 0
    assert unchanged.seconds(None, at=12) == 2
