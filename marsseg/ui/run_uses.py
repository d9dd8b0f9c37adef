"""What the buttons of the runs page do, in one value that its parts share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

Use = Callable[..., bool]
"""A use case with the lab filled in: takes what it is told of, and `done`, what to say when it worked.

It tells whether it worked; a refusal is shown as a message.
"""


@dataclass(frozen=True, slots=True)
class RunUses:
    """Use cases for one run by its id, for several by a list of ids, and for the queue.

    All but `clone`, which opens another page, are named as in `marsseg.services`.
    """

    stop: Use
    resume: Use
    extend: Use
    clone: Use
    rename: Use
    set_notes: Use
    set_tags: Use
    archive: Use
    delete: Use
    move_in_queue: Use
    set_priority: Use
    pause_queue: Use


def gather_uses(
    services: Any, act: Callable[[Callable[..., object]], Use], clone: Callable[..., object]
) -> RunUses:
    """The use cases that `services` has by these names, each made a button's callback by `act`."""
    named = [field.name for field in fields(RunUses) if field.name != "clone"]
    return RunUses(clone=act(clone), **{name: act(getattr(services, name)) for name in named})
