"""What the buttons of the runs page do, in one value that its parts share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Use = Callable[..., bool]
"""A use case with the lab filled in: takes what it is told of, and `done`, what to say when it worked.

It tells whether it worked; a refusal is shown as a message.
"""


@dataclass(frozen=True, slots=True)
class RunUses:
    """Use cases for one run by its id, for several by a list of ids, and for the queue.

    They are named as in `marsseg.services`, but for `clone`, which fills the form of a new run.
    """

    stop: Use
    resume: Use
    extend: Use
    clone: Callable[[str], object]
    rename: Use
    set_notes: Use
    change_tags: Use
    tag_runs: Use
    archive: Use
    combine: Use
    delete: Use
    move_in_queue: Use
    set_priority: Use
    pause_queue: Use
