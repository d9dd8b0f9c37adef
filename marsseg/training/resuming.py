"""Where a run goes on: after the newest recorded epoch whose checkpoint can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marsseg.training.checkpoints import Checkpoint, Checkpoints, UnreadableError


@dataclass(frozen=True, slots=True)
class Start:
    """Where training begins.

    Args:
        checkpoint: what it goes on from; None to begin anew.
        message: a sentence for people; empty where nothing was recorded yet.
        is_best_lost: the weights of the best epoch so far cannot be read, so another one has to be the best.
    """

    checkpoint: Checkpoint | None
    message: str
    is_best_lost: bool = False

    @property
    def epoch(self) -> int:
        """The last epoch that need not be trained again; 0 to begin anew."""
        return self.checkpoint.state.epoch if self.checkpoint else 0

    @property
    def best_epoch(self) -> int:
        """The best epoch by then; 0 to begin anew."""
        known = self.checkpoint.state.watch.best_epoch if self.checkpoint else 0
        return self.epoch if self.is_best_lost else known


def find_start(checkpoints: Checkpoints, read_best: Callable[[int], object], epochs: int) -> Start:
    """Try the recorded epochs from the newest on.

    Args:
        read_best: raises UnreadableError unless it finds the weights of the best epoch.
        epochs: how many the run has in all.

    Raises:
        CheckpointError: the disk does not give a file now; who went on without it would lose its epochs.
    """
    trouble = ""
    for epoch in checkpoints.epochs():
        try:
            found = checkpoints.read(epoch)
        except UnreadableError as error:
            trouble = trouble or str(error)
            continue
        try:
            if found.state.watch.best_epoch != epoch:
                read_best(found.state.watch.best_epoch)
        except UnreadableError as error:
            why = f"{trouble}. {error}" if trouble else str(error)
            return Start(found, f"{why}, the best one; goes on after epoch {epoch}, now the best.", True)
        usual = f"Goes on after epoch {epoch} of {epochs}."
        return Start(found, f"{trouble}; goes on after epoch {epoch}." if trouble else usual)
    return Start(None, f"{trouble}, and no other can be read; begins anew." if trouble else "")
