"""Everything this project raises on purpose: one sentence each, with what was wrong and what to do.

A page shows `str(error)` beside what caused it; the terminal prints it to stderr and exits with
`exit_status`.
"""

from __future__ import annotations


class MarsSegError(Exception):
    """Base of the family: the message is meant for the person who caused or can mend it."""

    exit_status = 2


class ConfigError(MarsSegError):
    """A run configuration cannot work; `problems` maps a field's dotted path to a sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems.items()))


class DatasetError(MarsSegError):
    """A dataset file or folder cannot be used as it is."""


class ImageError(MarsSegError):
    """An image cannot be decoded, or is too large to work on."""


class NotFoundError(MarsSegError):
    """No run, dataset, preset or file goes by the given name."""


class StoreError(MarsSegError):
    """The database refuses: unreachable, damaged, or from another version of the lab."""


class UnusableStoreError(StoreError):
    """The database refuses for good, as far as this process is concerned: asking again will not help."""


class DamagedStoreError(UnusableStoreError):
    """The database's file is damaged."""


class MovedStoreError(UnusableStoreError):
    """The database's file is no longer the one that this process opened."""


class StateError(MarsSegError):
    """The run is in a state that does not allow what was asked."""


class RunFailedError(MarsSegError):
    """A run that was waited for did not complete; the message is the run's reason."""

    exit_status = 1
