"""How a serving process is told to end."""

from __future__ import annotations

import signal
from types import FrameType


class StopFlag:
    """Set by SIGTERM and SIGINT.

    A plain attribute and no `threading.Event`: a second signal may interrupt the handler of the first, and
    would wait forever for the event's lock.
    """

    def __init__(self) -> None:
        self._signal: int | None = None

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._signal is not None

    def set_on_signals(self) -> None:
        """Let SIGTERM and SIGINT set the flag and do nothing else."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._remember)

    def _remember(self, signum: int, _frame: FrameType | None) -> None:
        self._signal = signum
