"""The real worker, which sends itself a signal at a moment of choice: for kills that no clock could time.

`MOMENT` is "loading", "epoch 3 step 2", "writing epoch 3" or "between file and row of epoch 3"; `SIGNAL`
names the signal, SIGKILL unless told otherwise.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any

from marsseg.store.records import Phase, Progress
from marsseg.training import checkpoints, reporting, worker

MOMENT = os.environ["MOMENT"]
EPOCH, STEP = ([int(number) for number in re.findall(r"\d+", MOMENT)] + [0, 0])[:2]


def signal_myself() -> None:
    """SIGKILL does not return."""
    os.kill(os.getpid(), signal.Signals[os.environ.get("SIGNAL", "SIGKILL")])


def before(owner: Any, name: str, is_it_time: Callable[..., bool]) -> None:
    """Send the signal before a function is called with the right arguments."""
    plain = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if is_it_time(*arguments):
            signal_myself()
        return plain(*arguments, **named)

    setattr(owner, name, wrapped)


def is_progress_due(_reporter: Any, heard: Progress) -> bool:
    """Loading, or a step of an epoch."""
    if MOMENT == "loading":
        return heard.phase is Phase.LOADING
    return (heard.phase, heard.epoch, heard.step) == (Phase.TRAINING, EPOCH, STEP)


def write_half(path: Any, _arrays: Any) -> None:
    """What a checkpoint looks like when the process dies while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f".{path.name}.{os.getpid()}.tmp").write_bytes(b"PK half of it")


if MOMENT == "loading" or STEP:
    before(reporting.StoreReporter, "progress", is_progress_due)
elif MOMENT.startswith("writing"):
    plain_save = checkpoints.save_arrays

    def save_arrays(path: Any, arrays: Any) -> None:
        """Half of the file of one epoch."""
        if path.name.startswith(f"epoch-{EPOCH:04d}"):
            write_half(path, arrays)
            signal_myself()
        plain_save(path, arrays)

    checkpoints.save_arrays = save_arrays
else:
    before(reporting.StoreReporter, "epoch", lambda _reporter, record: record.epoch == EPOCH)

sys.exit(worker.main(sys.argv[1:]))
