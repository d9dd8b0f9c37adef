"""Use cases that look at runs: queued, active or over; their log, masks and model."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from marsseg.data.arrays import open_arrays
from marsseg.errors import RunFailedError, StateError
from marsseg.execution import launch
from marsseg.metrics import Decoding, Split
from marsseg.services.caveats import caveat
from marsseg.services.comparing import score_of
from marsseg.services.files import modified_ns, read_array
from marsseg.services.lab import Lab, revive
from marsseg.store.records import (
    ACTIVE,
    ENDED_WELL,
    FINISHED,
    EpochRecord,
    EventRecord,
    RunRecord,
    RunStatus,
)


@dataclass(frozen=True, slots=True, eq=False)
class Previews:
    """Masks of a few fixed validation tiles after each epoch; one value is equal to itself alone.

    Args:
        rows: (T,) int64 dataset rows of the tiles.
        epochs: (E,) epochs with masks; 0 is before training.
        images: (T, H, W) uint8.
        truth: (T, H, W) uint8.
        masks: (E, T, H, W) uint8, decoding argmax.
    """

    rows: np.ndarray
    epochs: tuple[int, ...]
    images: np.ndarray
    truth: np.ndarray
    masks: np.ndarray


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run with everything its page shows.

    Args:
        members: what it is made of, see `find_members`.
        caveat: what one must know to read its scores; usually nothing.
    """

    run: RunRecord
    epochs: tuple[EpochRecord, ...]
    events: tuple[EventRecord, ...]
    has_model: bool
    members: dict[str, RunRecord | None]
    caveat: str = ""


def list_runs(
    lab: Lab,
    *,
    statuses: Sequence[RunStatus] | None = None,
    tags: Collection[str] = (),
    archived: bool | None = None,
    limit: int | None = None,
) -> list[RunRecord]:
    """Runs that have all of `tags`, newest first; `archived=False` leaves out those put away."""
    runs = lab.store.list_runs(statuses=statuses, archived=archived, limit=None if tags else limit)
    return [run for run in runs if set(tags) <= set(run.tags)][:limit]


def active_runs(lab: Lab) -> list[RunRecord]:
    """Runs that a process works on, or is about to; the oldest first."""
    return lab.store.list_runs(statuses=sorted(ACTIVE))[::-1]


def finished_runs(lab: Lab, *, archived: bool | None = False, limit: int | None = None) -> list[RunRecord]:
    """Runs that have ended, well or not; newest first. Those put away are left out unless asked for."""
    return lab.store.list_runs(statuses=sorted(FINISHED), archived=archived, limit=limit)


def get_run(lab: Lab, run_id: str) -> RunRecord:
    """Look up a run by its id or an unambiguous beginning of it.

    Raises:
        NotFoundError: no run goes by that id.
    """
    return lab.store.get_run(run_id)


def find_run(lab: Lab, run_id: str) -> RunRecord | None:
    """As `get_run`, but None where no run goes by that id."""
    return lab.store.find_run(run_id)


def score_by_run(lab: Lab) -> Mapping[str, float]:
    """Test score of every scored run by its id: terrain lens, terrain-only decoding; NaN of first stages."""
    return _score_by_run(lab, lab.store.version())


@lru_cache(maxsize=8)
def _score_by_run(lab: Lab, version: int) -> Mapping[str, float]:  # noqa: ARG001
    totals = lab.store.confusion_totals("test", "terrain_only")
    scored = [run for run in lab.store.list_runs(statuses=ENDED_WELL) if run.id in totals]
    return {run.id: score_of(run.config, totals[run.id], "terrain") for run in scored}


def runs_with_masks(lab: Lab) -> Mapping[str, RunRecord]:
    """Scored runs whose masks tell terrain, by id, newest first."""
    return _runs_with_masks(lab, lab.store.version())


@lru_cache(maxsize=2)
def _runs_with_masks(lab: Lab, version: int) -> Mapping[str, RunRecord]:
    scores = _score_by_run(lab, version)
    runs = lab.store.list_runs(statuses=ENDED_WELL)
    return {run.id: run for run in runs if run.id in scores and run.config.data.tells_terrain}


def confusion_of(lab: Lab, run_id: str, split: Split, decoding: Decoding) -> np.ndarray | None:
    """(5, 5) int64 pixels of a split, `[true, predicted]`; None of a run that was not judged on it."""
    found = lab.store.list_evaluations([run_id], split, decoding)
    return found[0].confusions.sum(axis=0) if found else None


def epochs_done(lab: Lab) -> dict[str, int]:
    """How many epochs each run has completed, by its id; runs with none are left out."""
    return lab.store.epochs_done()


def queue(lab: Lab) -> list[RunRecord]:
    """Queued runs in the order in which they will start."""
    return lab.store.queue()


def run_details(lab: Lab, run_id: str) -> RunDetails:
    """Everything the page of one run shows, except its log and previews."""
    run = get_run(lab, run_id)
    return RunDetails(
        run=run,
        epochs=tuple(lab.store.list_epochs(run.id)),
        events=tuple(lab.store.list_events(run_id=run.id)),
        has_model=model_path(lab, run.id).is_file(),
        members=find_members(lab, run),
        caveat=caveat(run.config),
    )


def find_members(lab: Lab, run: RunRecord) -> dict[str, RunRecord | None]:
    """The runs that a combination is made of, by id; None for one that was deleted."""
    return {member: lab.store.find_by_id(member) for member in run.config.combine.members}


def read_previews(lab: Lab, run: RunRecord) -> Previews | None:
    """Masks of the run's fixed validation tiles, epoch by epoch; None before there are any.

    The same value as long as nothing is added, so that who draws it every other second can tell.
    """
    folder = lab.settings.run_dir(run.id) / "previews"
    files = sorted(folder.glob("epoch-*.npy"))
    if not files or not (folder / "rows.npy").is_file():
        return None
    tiles = lab.settings.datasets_dir / lab.store.get_dataset(run.dataset_id).sha256
    return _read_previews(
        f"Run {run.id} ({run.name})", tiles, tuple((path, modified_ns(path)) for path in files)
    )


@lru_cache(maxsize=2)
def _read_previews(whose: str, tiles: Path, files: tuple[tuple[Path, int], ...]) -> Previews:
    """Read the epochs once; the times at which they were written make one that changed be read again."""
    paths = [path for path, _ in files]
    rows = _preview(whose, paths[0].with_name("rows.npy"))
    arrays = open_arrays(tiles)
    return Previews(
        rows=rows,
        epochs=tuple(int(path.stem.split("-")[1]) for path in paths),
        images=np.asarray(arrays.images[rows]),
        truth=np.asarray(arrays.masks[rows]),
        masks=np.stack([_preview(whose, path) for path in paths]),
    )


def _preview(whose: str, path: Path) -> np.ndarray:
    remedy = "train the run again to see its masks over epochs."
    return read_array(path, what=f"{whose} has previews that", remedy=remedy)


def read_log(lab: Lab, run_id: str, *, tail_bytes: int = 20_000) -> str:
    """The last part of the run's log from the beginning of a line, or of one line that is longer.

    Empty while there is none.
    """
    path = log_path(lab, run_id)
    if not path.is_file():
        return ""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - tail_bytes))
        text = log.read().decode("utf-8", errors="replace")
    return text if size <= tail_bytes else text.partition("\n")[2] or text


def log_size(lab: Lab, run_id: str) -> int:
    """Bytes of the run's log; 0 while there is none."""
    path = log_path(lab, run_id)
    return path.stat().st_size if path.is_file() else 0


def log_path(lab: Lab, run_id: str) -> Path:
    """The file that receives everything the worker prints."""
    return launch.log_path(lab.settings, get_run(lab, run_id).id)


def model_path(lab: Lab, run_id: str) -> Path:
    """The exported network of a run, which exists once the run has ended well."""
    return lab.settings.run_dir(run_id) / "model.onnx"


def look_after(lab: Lab, run_id: str) -> RunRecord:
    """The run as it stands now; if it waits or runs, a scheduler that has died is replaced."""
    run = get_run(lab, run_id)
    if run.status.is_finished:
        return run
    revive(lab)
    return get_run(lab, run_id)


def wait(lab: Lab, run_id: str, *, poll_seconds: float = 0.5) -> RunRecord:
    """Wait until a run has ended.

    Raises:
        RunFailedError: it ended as failed or lost; the message is its reason.
    """
    while not (run := look_after(lab, run_id)).status.is_finished:
        time.sleep(poll_seconds)
    if run.status in {RunStatus.FAILED, RunStatus.LOST}:
        raise RunFailedError(f"Run {run.id} ({run.name}) ended as {run.status}: {run.reason}")
    return run


def require_model(lab: Lab, run_id: str) -> tuple[RunRecord, Path]:
    """The run and its exported network.

    Raises:
        StateError: the run has no exported network (yet).
    """
    run = get_run(lab, run_id)
    path = model_path(lab, run.id)
    if not path.is_file():
        raise StateError(no_network(run, "Choose a completed or stopped run."))
    return run, path


def no_network(run: RunRecord, remedy: str) -> str:
    """The sentence for a run without a network: it has none yet, or has lost it."""
    whose = f"Run {run.id} ({run.name}) has"
    if run.status is RunStatus.STOPPED and run.best_epoch is None and not run.config.combine.is_on:
        return f"{whose} no network: it was stopped before its first epoch had ended."
    if run.status.ended_well:
        again = "resume" if run.status.is_resumable else "extend"
        go_on = "combine its runs anew" if run.config.combine.is_on else f"{again} it, or train it again,"
        its = "lost its" if run.status is RunStatus.COMPLETED else "no"  # a stop may leave the export out
        return f"{whose} {its} network model.onnx; {go_on} to have one."
    return f"{whose} no exported network: it is {run.status}. {remedy}"
