"""What runs do, wait for and need, in words."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from marsseg.ui import formats, text
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import RunShare, Waiting
    from marsseg.store.records import Progress, RunRecord

PRIORITIES = {1: "High", 0: "Normal", -1: "Low"}
_NAME_LETTERS = 60
_LISTED = 8
_AFTER_THE_LAST_EPOCH = {
    "evaluating": "evaluating the best weights on validation and test tiles",
    "exporting": "exporting the network",
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What helps a run that did not end well: a sentence, and the button for it."""

    sentence: str
    button: str


_RESUME = Remedy("Resume goes on from the last checkpoint.", "resume")
_REMEDIES = (
    (
        r"\bnan\b|not finite|non-finite|infinite",
        Remedy("Resuming would meet the same numbers: try a lower learning rate in a copy.", "clone"),
    ),
    (
        r"memory|\boom\b|signal 9\b",
        Remedy(
            "Resume once memory is free, or train a copy with a smaller batch or fewer filters.", "resume"
        ),
    ),
    (
        r"disk|no space",
        Remedy("Delete runs that you no longer need, then resume: checkpoints are intact.", "resume"),
    ),
    (r"dataset", Remedy("Add the dataset again, then resume; or train a copy on another one.", "clone")),
    (
        r"restart|reboot",
        Remedy("Nothing is wrong with the run: it goes on from its last checkpoint.", "resume"),
    ),
)


def which(run: RunRecord) -> str:
    """What tells repeats and folds apart, which share a name."""
    return " · ".join(filter(None, [f"seed {run.seed}", fold(run), f"id {run.id}"]))


def fold(run: RunRecord) -> str:
    """Which of its folds validates it, e.g. "fold 1 of 0–4"; empty where it has none of its own."""
    place = run.config.own_fold
    return "" if place is None else f"fold {place} of 0–{run.config.data.folds - 1}"


def name_with_fold(run: RunRecord, letters: int) -> str:
    """Its name, cut to so many letters, and its fold."""
    return " · ".join(filter(None, [text.shorten(run.name, letters), fold(run)]))


def name_list(runs: Sequence[RunRecord]) -> str:
    """Names and ids as a list in Markdown, the first of them where there are many."""
    names = [f"- **{text.markdown(text.shorten(run.name, 70))}** :gray[{run.id}]" for run in runs]
    more = [f"- and {len(names) - _LISTED} more"] if len(names) > _LISTED else []
    return "\n".join([*names[:_LISTED], *more])


def priority_name(priority: int) -> str:
    """ "High", "Normal" or "Low"; another number stands for itself."""
    return PRIORITIES.get(priority, str(priority))


def priority_label(priority: int) -> str:
    """The same where it stands alone: "High priority", "Priority 5"."""
    known = PRIORITIES.get(priority)
    return f"{known} priority" if known else f"Priority {priority}"


def phase_text(run: RunRecord) -> str:
    """What the run is doing, e.g. "epoch 3/40, step 12/125"; and for how long nothing was heard of it."""
    phase = _phase(run)
    if run.status == "stopping":
        phase = f"{'stopping at once' if run.stop_now else 'stopping'}: {phase}"
    silence = run.silence(time.time())
    return f"{phase} · no sign of life for {formats.duration(silence)}" if silence else phase


def progress_share(progress: Progress | None) -> float:
    """How much of all steps is done, 0 to 1."""
    if progress is None or not progress.epochs:
        return 0.0
    if progress.phase in _AFTER_THE_LAST_EPOCH:
        return 1.0
    if progress.phase in {"validating", "saving"}:  # all steps of this epoch are done
        return progress.epoch / progress.epochs
    within = progress.step / progress.steps if progress.steps else 0.0
    return min(1.0, max(0.0, (progress.epoch - 1 + within) / progress.epochs))


def resources_text(run: RunRecord) -> str:
    """Where it computes, and how often it was launched, e.g. "2 threads · attempt 2"; may be empty."""
    parts = []
    if run.gpu:
        names = run.provenance.get("gpus") or [f"GPU {run.gpu.removeprefix('GPU-')[:8]}"]
        parts.append(str(names[0]))
    if run.threads:
        parts.append(counted(run.threads, "thread"))
    if run.launches > 1:
        parts.append(f"attempt {run.launches}")
    return " · ".join(parts)


def waits_for(waiting: Waiting) -> str:
    """What a queued run waits for and about how long; empty when it starts at once."""
    short = [replace(run, name=text.shorten(run.name, _NAME_LETTERS)) for run in waiting.active]
    sentence = replace(waiting, active=tuple(short)).sentence()
    if sentence and waiting.seconds and not waiting.paused:
        return f"{sentence} {formats.about(waiting.seconds).capitalize()} until a slot is free."
    return sentence


def share_words(share: RunShare) -> str:
    """What a run is given, e.g. "Trains on 2 of 4 CPU cores; 2 runs at a time."."""
    if share.gpus:
        names = ", ".join(f"{gpu.name} ({formats.size(gpu.memory_bytes)})" for gpu in share.gpus)
        where = f"Trains on one of {len(share.gpus)} GPUs: {names}"
        where = where if len(share.gpus) > 1 else f"Trains on the GPU, {names}"
    else:
        where = f"Trains on {share.threads} of {counted(share.cores, 'CPU core')}"
    return f"{where}; {counted(share.slots, 'run')} at a time."


def remedy(reason: str) -> Remedy:
    """What helps against the reason why a run failed or was lost."""
    found = (help_ for pattern, help_ in _REMEDIES if re.search(pattern, reason, re.IGNORECASE))
    return next(found, _RESUME)


def _phase(run: RunRecord) -> str:
    progress = run.progress
    if progress is None:
        return "starting the worker"
    if progress.phase == "training":
        return f"epoch {progress.epoch}/{progress.epochs}, step {progress.step}/{progress.steps}"
    if progress.phase == "building graph":
        return "building graph (up to half a minute)"
    if progress.phase == "loading":
        return "loading the dataset"
    if progress.phase in {"validating", "saving"}:
        doing = "validating" if progress.phase == "validating" else "saving a checkpoint"
        return f"epoch {progress.epoch}/{progress.epochs}, {doing}"
    return _AFTER_THE_LAST_EPOCH[progress.phase]
