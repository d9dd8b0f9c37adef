"""How training ended, in sentences for people."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from marsseg.store.records import RunStatus
from marsseg.training.checkpoints import TrainingState
from marsseg.wording import counted

NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How training ended.

    Args:
        status: completed, stopped or failed.
        reason: what happened.
        best_epoch: the epoch whose weights were kept; None when no epoch was completed.
        scores: whose scores the run has after a stop or a failure.
        advice: what to do about it; a sentence of its own.
        where: how far training had come when it was stopped.
    """

    status: RunStatus
    reason: str
    best_epoch: int | None
    scores: str = ""
    advice: str = ""
    where: str = ""

    @property
    def has_scores(self) -> bool:
        """Whether there are weights worth evaluating; after a failure, only if an epoch was completed."""
        return self.status is not RunStatus.FAILED or self.best_epoch is not None

    def sentence(self, *, left_out: str = "", cause: str = "") -> str:
        """All of it in one text.

        Args:
            left_out: what a person asked to leave out, such as `NOT_EVALUATED`; empty for nothing.
            cause: what asked for a stop, such as "SIGTERM"; empty for a person.
        """
        by = f"by {cause}" if cause and self.status is RunStatus.STOPPED else ""
        reason = " ".join(filter(None, [self.reason, by, self.where]))
        scores = "" if left_out == NOT_EVALUATED else self.scores
        parts = filter(None, [reason, scores, left_out and f"{left_out}, as asked"])
        return ". ".join(filter(None, ["; ".join(parts), self.advice]))


def completed(state: TrainingState) -> Outcome:
    """All epochs are done."""
    return _outcome(state, RunStatus.COMPLETED, counted(state.epoch, "epoch"))


def stopped_early(state: TrainingState, patience: int) -> Outcome:
    """The validation score has stalled for too long."""
    reason = (
        f"early stop after epoch {state.epoch}: no better validation score for {counted(patience, 'epoch')}"
    )
    return _outcome(state, RunStatus.COMPLETED, reason)


def stopped(state: TrainingState, step: int, steps: int) -> Outcome:
    """Someone asked to stop, `step` steps into the next epoch."""
    epoch = state.epoch + 1
    where = f"in epoch {epoch} after step {step} of {steps}" if step else f"before epoch {epoch}"
    scores = (
        f"the scores are those of epoch {state.watch.best_epoch}, the best of {state.epoch}"
        if state.epoch
        else "no epoch was completed, so the scores are those of the weights at that moment"
    )
    return replace(_outcome(state, RunStatus.STOPPED, "stopped", scores), where=where)


def diverged(state: TrainingState, loss: float, where: str) -> Outcome:
    """The loss is no finite number any more, so going on would only spoil the weights."""
    kind = "NaN" if math.isnan(loss) else "infinite"
    kept = f"last finite weights kept, those after epoch {state.epoch}"
    scores = f"the scores are those of epoch {state.watch.best_epoch}"
    return _outcome(
        state,
        RunStatus.FAILED,
        f"loss became {kind} in {where}; {kept if state.epoch else 'no weights were kept'}",
        scores if state.epoch else "",
        "Try a lower learning rate.",
    )


def _outcome(
    state: TrainingState, status: RunStatus, reason: str, scores: str = "", advice: str = ""
) -> Outcome:
    return Outcome(status, reason, state.watch.best_epoch or None, scores, advice)
