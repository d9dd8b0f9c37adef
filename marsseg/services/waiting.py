"""Whether a run that is queued now would have to wait, and for what."""

from __future__ import annotations

from dataclasses import dataclass, replace

from marsseg.execution.control import slots_in_use
from marsseg.execution.devices import list_gpus, slot_count
from marsseg.services.lab import Lab
from marsseg.store.records import ACTIVE, RunRecord
from marsseg.wording import counted


@dataclass(frozen=True, slots=True)
class Waiting:
    """What stands between a new run and its start.

    Args:
        slots: how many runs may train at once.
        wished: how many our own settings allow, which the next scheduler will be told.
        gpus: how many GPUs these share.
        active: runs that hold a slot, oldest first.
        ahead: queued runs that would start before it.
        paused: whether the queue is paused.
        seconds: about how long until a slot is free; None when unknown or when one is.
    """

    slots: int
    wished: int
    gpus: int
    active: tuple[RunRecord, ...]
    ahead: int
    paused: bool
    seconds: float | None

    @property
    def starts_at_once(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.paused and len(self.active) + self.ahead < self.slots

    def sentence(self) -> str:
        """What it waits for, for people; empty when it starts at once."""
        if self.starts_at_once:
            return ""
        queued = f"{counted(self.ahead, 'run')} ahead in the queue" if self.ahead else ""
        if self.paused:
            return f"Waits: the queue is paused{f', with {queued}' if queued else ''}."
        if len(self.active) < self.slots:
            return f"Waits: {queued}."
        taken = "the only slot is taken" if self.slots == 1 else f"all {self.slots} slots are taken"
        by = f" by “{self.active[0].name}”" if len(self.active) == 1 else ""
        return f"Waits: {taken}{by}{f', with {queued}' if queued else ''}."


def waiting(lab: Lab, priority: int = 0) -> Waiting:
    """Look at slots and queue as a run of this priority would find them."""
    active = tuple(lab.store.list_runs(statuses=sorted(ACTIVE))[::-1])
    left = [run.progress.seconds_left for run in active if run.progress and run.progress.seconds_left]
    slots = slots_in_use(lab.settings, lab.store)
    return Waiting(
        slots=slots,
        wished=slot_count(lab.settings),
        gpus=len(list_gpus()),
        active=active,
        ahead=sum(run.priority >= priority for run in lab.store.queue()),
        paused=lab.store.is_queue_paused(),
        seconds=min(left) if left and len(active) >= slots else None,
    )


def waiting_for(lab: Lab, run_id: str) -> str:
    """What a run that was just queued waits for, for people; empty when it starts at once."""
    queued = [run.id for run in lab.store.queue()]
    if run_id not in queued:
        return ""
    return replace(waiting(lab), ahead=queued.index(run_id)).sentence()
