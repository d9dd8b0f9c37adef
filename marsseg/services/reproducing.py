"""The command that makes a run again, and what else has to be as it was."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from marsseg.config import RunConfig
from marsseg.config.describe import FIELDS
from marsseg.services.lab import Lab
from marsseg.services.runs import find_members, get_run
from marsseg.store.records import RunRecord
from marsseg.wording import counted

_OWN_OPTIONS = frozenset({"name", "data.dataset", "train.seed"})
_SHA_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to make a run again.

    Args:
        command: for a shell in the project's folder.
        commit: the code that it was made with; None where that is unknown.
        dirty: whether tracked files differed from that commit.
        dataset_sha256: checksum of the dataset's original file or folder.
        notes: sentences on what would keep the numbers from being the same.
    """

    command: str
    commit: str | None
    dirty: bool
    dataset_sha256: str
    notes: tuple[str, ...]


def reproduce(lab: Lab, run_id: str) -> Reproduction:
    """Put the command together from what the run recorded.

    Raises:
        NotFoundError: no run goes by that id.
    """
    run = get_run(lab, run_id)
    dataset = lab.store.get_dataset(run.dataset_id)
    return Reproduction(
        command=training_command(run, dataset.sha256[:_SHA_DIGITS]),
        commit=run.provenance.get("git_commit"),
        dirty=bool(run.provenance.get("git_dirty")),
        dataset_sha256=dataset.sha256,
        notes=tuple(_notes(lab, run, dataset.dropped_rows)),
    )


def training_command(run: RunRecord, dataset: str) -> str:
    """What makes a run again, for a shell; `dataset` is a name, or first digits of the checksum."""
    return shlex.join(_combining(run) if run.config.combine.is_on else _training(run, dataset))


def _combining(run: RunRecord) -> list[str]:
    combination = run.config.combine
    words = ["python", "-m", "marsseg", "combine", *combination.members, "--rule", combination.rule]
    return [*words, *(["--flips"] if combination.flips else []), "--wait"]


def _training(run: RunRecord, dataset: str) -> list[str]:
    words = ["python", "-m", "marsseg", "train", "--preset", "default", "--wait"]
    words += ["--dataset", dataset, "--seed", str(run.seed)]
    if run.threads is not None:
        words += ["--threads", str(run.threads)]
    for path, value in _changes(run.config).items():
        words += ["--set", f"{path}={json.dumps(value)}"]
    return words


def _changes(config: RunConfig) -> dict[str, Any]:
    """Every field that is not as the `default` preset has it, also where it has no say."""
    usual, ours = RunConfig().flat(), config.flat()
    return {p: ours[p] for p in FIELDS if p not in _OWN_OPTIONS and ours[p] != usual[p]}


def _notes(lab: Lab, run: RunRecord, dropped_rows: tuple[int, ...]) -> list[str]:
    notes = [
        f"Run {member}, which this one is made of, was deleted, so the command will be refused; name another "
        "run in its place."
        for member, found in find_members(lab, run).items()
        if found is None
    ]
    if run.provenance.get("git_dirty"):
        notes.append("The code differed from its commit in ways that nobody recorded.")
    if dropped_rows != run.dropped_rows:
        notes.append(
            f"This run left out {counted(len(run.dropped_rows), 'tile')} as outliers; the dataset now leaves "
            f"out {len(dropped_rows)}. Decide on the Data page as it was then."
        )
    if not run.config.train.deterministic:
        notes.append("Deterministic kernels were off, so the last digits will differ.")
    if run.status.is_resumable and not run.config.combine.is_on:
        done = len(lab.store.list_epochs(run.id))
        notes.append(
            f"This run is {run.status} after {done} of {run.config.train.epochs} epochs; the command trains "
            "all of them, and the first ones give the same numbers."
        )
    if run.launches > 1:
        notes.append(f"It took {run.launches} launches; one without a break gives the same numbers.")
    return notes
