"""A second click that does not wait for the answer to the first begins nothing again."""

from __future__ import annotations

from threading import Thread

from marsseg.ui import shell

A_MOMENT = 0.3


def test_a_second_click_waits_for_what_the_first_began() -> None:
    begun: list[Thread] = []
    told: list[str] = []

    def begin() -> str:
        second = Thread(target=act)
        begun.append(second)
        if len(begun) == 1:
            second.start()
            second.join(A_MOMENT)  # it must not get here meanwhile
        return "a run"

    act = shell.once(begin, told.append)
    act()
    begun[0].join()
    assert len(begun) == 1
    assert set(told) == {"a run"}
