"""Numbers that results lack, each with the command that gets it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marsseg.presets import PRESETS
from marsseg.services.result_rows import ResultRow
from marsseg.services.results import StudyResults
from marsseg.store.records import RunRecord, RunStatus

ENOUGH_SEEDS = 3
"""With fewer, nobody can tell luck from effect."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing, in a sentence, and the command for it."""

    sentence: str
    command: str


def find_gaps(results: StudyResults) -> list[Gap]:
    """What has to run before every number is there, with `ENOUGH_SEEDS` seeds."""
    gaps = [gap for row in results.rows for gap in _of_row(results, row)]
    for preset in results.missing_rungs:
        sentence = f"{preset.title} was not trained."
        gaps.append(Gap(sentence, study_command(results, preset.key)))
    return gaps + list(_of_duel(results))


def study_command(results: StudyResults, preset: str) -> str:
    """Trains a preset at the study's budget, with repeats."""
    words = ["study", "--preset", preset, *_shared(results), "--repeats", str(ENOUGH_SEEDS)]
    return command(*words)


def command(*words: str) -> str:
    """A command of this lab, for a shell."""
    return shlex.join(["python", "-m", "marsseg", *words])


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Values by path as options of a command."""
    return [word for path, value in values.items() for word in ("--set", f"{path}={json.dumps(value)}")]


def _shared(results: StudyResults) -> list[str]:
    shared = results.rungs.shared if results.rungs else {}
    return ["--dataset", results.dataset.name, *assignments(shared)]


def _of_row(results: StudyResults, row: ResultRow) -> Iterator[Gap]:
    for run in row.unfinished:
        yield _unfinished(row, run)
    if row.config.combine.is_on:
        return  # it is repeated with its stages
    seeds = {run.seed for run in (*row.runs, *row.unfinished)}
    for seed in range(ENOUGH_SEEDS if len(seeds) < ENOUGH_SEEDS else 0):
        if seed not in seeds:
            yield Gap(f"{row.name} has no run with seed {seed}.", _repeat(results, row, seed))


def _repeat(results: StudyResults, row: ResultRow, seed: int) -> str:
    if row.preset is not None:
        return command("train", "--preset", row.preset.key, *_shared(results), "--seed", str(seed))
    return command("runs", "clone", (*row.runs, *row.unfinished)[0].id, "--seed", str(seed))


def _unfinished(row: ResultRow, run: RunRecord) -> Gap:
    what = f"{row.name}, seed {run.seed}"
    if run.status is RunStatus.QUEUED:
        return Gap(f"{what} waits in the queue.", command("scheduler", "--idle-seconds", "60"))
    if run.status.is_active:
        return Gap(f"{what} is at work.", command("runs", "show", run.id))
    if run.status.is_resumable:
        reason = f": {run.reason}" if run.reason else "."
        return Gap(f"{what} is {run.status}{reason}", command("runs", "resume", run.id, "--wait"))
    return Gap(f"{what} has ended without scores.", command("runs", "clone", run.id))


def _of_duel(results: StudyResults) -> Iterator[Gap]:
    duel = results.duel
    for name, side in zip(duel.names, (duel.ours, duel.theirs), strict=True) if duel else ():
        if side is None:
            title = PRESETS[name].title
            yield Gap(
                f"{title} ({name}) was not trained on {results.dataset.name}.",
                study_command(results, name),
            )
        elif side not in results.rows:
            yield from _of_row(results, side)
