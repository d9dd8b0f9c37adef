"""Use cases that change runs: stop, resume, extend, delete, archive, annotate, and the queue's order."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from marsseg.config import RunConfig
from marsseg.errors import StateError
from marsseg.services.files import is_whole_archive
from marsseg.services.lab import Lab, wake
from marsseg.services.runs import get_run
from marsseg.store.queue import Direction
from marsseg.store.records import RunRecord, RunStatus
from marsseg.store.transitions import refusal


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting some runs takes away: the runs, those with scores among them, and their files.

    Args:
        combinations: runs made of them that stay.
    """

    runs: tuple[RunRecord, ...]
    scored: int
    files: int
    bytes: int
    combinations: tuple[RunRecord, ...]

    @property
    def is_possible(self) -> bool:
        """Whether all of the runs have ended."""
        return all(run.status.is_finished for run in self.runs)

    @property
    def consequence(self) -> str:
        """What becomes of the combinations, in a sentence or two; empty where there are none."""
        if not self.combinations:
            return ""
        of = "it" if len(self.runs) == 1 else "them"
        what, keeps = (
            ("1 combination is", "it keeps its scores and its exported network")
            if len(self.combinations) == 1
            else (
                f"{len(self.combinations)} combinations are",
                "they keep their scores and exported networks",
            )
        )
        waiting = not all(run.status.is_finished for run in self.combinations)
        fails = " What has not ended yet will fail." if waiting else ""
        return f"{what} made of {of} and cannot be made again; {keeps}.{fails}"


def stop(lab: Lab, run_id: str, *, now: bool = False) -> RunRecord:
    """Ask a run to end at its next batch; a queued run leaves the queue.

    Args:
        now: end without evaluating and exporting; whoever takes longer than half a minute is killed.

    Raises:
        StateError: the run has ended already.
    """
    run = lab.store.request_stop(get_run(lab, run_id).id, now=now)
    if run.status.is_active:
        wake(lab)
    return run


def resume(lab: Lab, run_id: str) -> RunRecord:
    """Queue a stopped, failed or lost run again; it goes on from its last checkpoint.

    Raises:
        StateError: the run is not in one of these states.
    """
    run = get_run(lab, run_id)
    if run.config.combine.is_on and run.status is RunStatus.COMPLETED:
        raise refusal(run.id, run.status, "cannot be resumed", "combine its runs anew for another one")
    run = lab.store.requeue(run.id)
    wake(lab)
    return run


def extend(lab: Lab, run_id: str, epochs: int) -> RunRecord:
    """Queue a completed run again, for `epochs` more from its end; its scores are measured anew.

    Raises:
        ConfigError: fewer than one epoch, or too many in all.
        StateError: the run is not completed, its last checkpoint is gone, or it combines others.
    """
    run = get_run(lab, run_id)
    if run.config.combine.is_on:
        raise StateError(
            f"Run {run.id} trains nothing itself; extend the runs that it combines, then combine them anew."
        )
    recorded = lab.store.list_epochs(run.id)
    if run.status == "completed" and recorded:
        last = recorded[-1].checkpoint
        if last is None or not is_whole_archive(checkpoints_dir(lab, run.id) / last):
            raise StateError(
                f"Run {run.id} has no checkpoint of its last epoch any more, or it is damaged; start a new "
                "run."
            )
    run = lab.store.extend_run(run.id, epochs)
    wake(lab)
    return run


def clone_config(lab: Lab, run_id: str) -> RunConfig:
    """The configuration of a run, to be changed and started as another one; without the name."""
    run = get_run(lab, run_id)
    return run.config.with_values({"name": "", "data.dataset": run.dataset_name})


def rename(lab: Lab, run_id: str, name: str) -> RunRecord:
    """Give a run another name.

    Raises:
        ConfigError: it is empty or too long.
    """
    return lab.store.rename_run(get_run(lab, run_id).id, name)


def set_notes(lab: Lab, run_id: str, notes: str, *, instead_of: str | None = None) -> RunRecord:
    """Replace what was written about a run.

    Args:
        instead_of: the notes that the writer had before them; others written since then stay, above.

    Raises:
        ConfigError: the notes are too long.
    """
    return lab.store.set_notes(get_run(lab, run_id).id, notes, instead_of=instead_of)


def change_tags(lab: Lab, run_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> RunRecord:
    """Add tags to those that a run has, and take some away.

    Raises:
        NotFoundError: the run lacks a tag that is to be removed.
        ConfigError: a tag is no tag, or there are too many.
    """
    return lab.store.change_tags(get_run(lab, run_id).id, add=add, remove=remove)


def tag_runs(lab: Lab, run_ids: Sequence[str], tags: Sequence[str]) -> None:
    """Add tags to several runs.

    Raises:
        ConfigError: a tag is no tag, or a run would have too many.
    """
    for run_id in run_ids:
        change_tags(lab, run_id, add=tags)


def archive(lab: Lab, run_ids: Sequence[str], *, archived: bool = True) -> None:
    """Put finished runs out of sight, or bring them back; all or, if one is refused, none.

    Raises:
        StateError: one of them has not ended.
    """
    lab.store.archive_runs([get_run(lab, run_id).id for run_id in run_ids], archived)


def plan_deletion(lab: Lab, run_ids: Sequence[str]) -> Deletion:
    """Say what deleting these runs would take away, without doing it.

    Raises:
        NotFoundError: one of them does not exist.
    """
    runs = {run.id: run for run in (get_run(lab, run_id) for run_id in run_ids)}
    scored = lab.store.confusion_totals("test", "terrain_only")
    sizes = [size for run_id in runs for size in file_sizes(lab.settings.run_dir(run_id))]
    return Deletion(
        runs=tuple(runs.values()),
        scored=sum(run_id in scored for run_id in runs),
        files=len(sizes),
        bytes=sum(sizes),
        combinations=tuple(run for run in lab.store.list_runs() if _is_left_without(run, runs)),
    )


def _is_left_without(run: RunRecord, deleted: Collection[str]) -> bool:
    return run.id not in deleted and not set(deleted).isdisjoint(run.config.combine.members)


def delete(lab: Lab, run_ids: Sequence[str]) -> None:
    """Delete runs that have ended, with their files; all or, if one is refused, none.

    Raises:
        StateError: one of them has not ended.
    """
    ids = list(dict.fromkeys(get_run(lab, run_id).id for run_id in run_ids))
    lab.store.delete_runs(ids)
    for run_id in ids:
        shutil.rmtree(lab.settings.run_dir(run_id), ignore_errors=True)


def file_sizes(folder: Path) -> list[int]:
    """Bytes of each file below a folder; a file that goes while we look is left out."""
    sizes = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found = path.lstat()
            sizes += [found.st_size] if S_ISREG(found.st_mode) else []
    return sizes


def move_in_queue(lab: Lab, run_id: str, where: Direction) -> None:
    """Move a queued run "up", "down" or to the "top"."""
    lab.store.move_queued(get_run(lab, run_id).id, where)


def set_priority(lab: Lab, run_id: str, priority: int) -> None:
    """Give a queued run another priority: higher starts first, 0 is usual."""
    lab.store.set_priority(get_run(lab, run_id).id, priority)


def pause_queue(lab: Lab, *, paused: bool = True) -> None:
    """Let nothing more start, or let the queue go on; active runs are left alone."""
    lab.store.pause_queue(paused)
    if not paused and lab.store.queue():
        wake(lab)


def checkpoints_dir(lab: Lab, run_id: str) -> Path:
    """Where the checkpoints of a run lie, by the names that its epochs tell."""
    return lab.settings.run_dir(run_id) / "checkpoints"
