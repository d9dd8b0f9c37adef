"""Whatever ends a run, in one sentence for someone who has not read the log."""

from __future__ import annotations

import re
from pathlib import Path

from marsseg.errors import MarsSegError
from marsseg.training.files import DiskFullError, free_space, is_disk_full

_OUT_OF_MEMORY = frozenset({"MemoryError", "ResourceExhaustedError"})
"""Python's own and TensorFlow's: by name, as a run may fail before TensorFlow is imported."""
_SHAPE = re.compile(r"shape\s*(\[[\d,\s]*\])")


def failure_sentence(error: Exception, folder: Path) -> str:
    """Say what went wrong and what to do.

    Args:
        folder: the run's, where most of what it writes goes.
    """
    if is_disk_full(error) and not isinstance(error, DiskFullError):
        said, free = _first_line(error), free_space(folder)
        return f"disk full while saving ({said}): {free}. Make room, then resume the run."
    if isinstance(error, MarsSegError):
        return str(error)
    if any(kind.__name__ in _OUT_OF_MEMORY for kind in type(error).__mro__):
        return (
            f"out of memory{_for_what(error)}. Lower the batch size, the filters or the number of slots, "
            "then start again."
        )
    return f"{type(error).__name__}: {_first_line(error)} (the log has the traceback)"


def _for_what(error: Exception) -> str:
    """The shape of the tensor that did not fit, if the error names it."""
    shape = _SHAPE.search(str(error))
    return f" while making a tensor of shape {shape[1]}" if shape else ""


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
