"""The commands that make results again, on a machine that has none of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from marsseg.config import RunConfig
from marsseg.config.run import MAX_REPEATS
from marsseg.errors import ConfigError
from marsseg.presets import PRESETS
from marsseg.services.datasets import UPLOAD_OF
from marsseg.services.lab import DEMO_DATASET, DEMO_SOURCE
from marsseg.services.ladder import changes
from marsseg.services.reproducing import training_command
from marsseg.services.result_gaps import assignments, command, further_name, spans, stages_command
from marsseg.services.result_rows import ResultRow
from marsseg.services.results import StudyResults
from marsseg.services.toggles import TOGGLES, Toggle

_NO_STUDY = (
    "No plan makes all of these rows, so they are trained run by run. Such runs make no study that `results` "
    "could write up; the leaderboard compares them."
)


@dataclass(frozen=True, slots=True)
class Repetition:
    """Commands for a shell in the project's folder, and what there is to say of them."""

    commands: tuple[str, ...]
    note: str = ""


def repetition(results: StudyResults, out: str) -> Repetition:
    """What trains the runs and writes the results again, in an empty home."""
    planned = list(_plan_commands(results))
    singles = [line for row in results.rows for line in _row_commands(results, row)]
    last = _again(results, out) if planned else command("leaderboard", "--dataset", results.dataset.name)
    commands = (
        *_dataset_commands(results),
        *(planned or singles),
        *(line for row in _others(results) for line in _row_commands(results, row)),
        last,
    )
    return Repetition(commands, "" if planned else _NO_STUDY)


def results_command(results: StudyResults, out: str) -> str:
    """What writes these results."""
    duel = results.duel
    return _results_command(results.key, out, (duel.candidate, duel.names[1]) if duel else ())


def _again(results: StudyResults, out: str) -> str:
    """The same where numbers of studies and ids of runs are others."""
    duel = results.duel
    asked = (_lasting(duel.candidate, duel.ours), _lasting(duel.names[1], duel.theirs)) if duel else ()
    return _results_command(results.study.name, out, asked)


def _lasting(name: str | None, row: ResultRow | None) -> str | None:
    """A name by which a row is found wherever it was trained."""
    if name is None or row is None or name in PRESETS or (row.preset and name == row.name):
        return name
    return (*row.runs, *row.unfinished)[0].fingerprint


def _results_command(study: str, out: str, asked: Sequence[str | None]) -> str:
    words = ["results", "--study", study]
    for option, name in zip(("--candidate", "--against"), asked, strict=False):
        words += [] if name is None else [option, name]
    path = PurePath(out)
    return command(*words, "--out", path.name if path.is_absolute() else out)


def _dataset_commands(results: StudyResults) -> Iterator[str]:
    """What brings the dataset into an empty home, which draws the demo by itself."""
    dataset = results.dataset
    if dataset.source != DEMO_SOURCE:
        file = PurePath(dataset.source.removeprefix(UPLOAD_OF)).name
        frame_size = dataset.meta["frame_size"]
        known = ["--frame-size", str(frame_size[0])] if frame_size else []
        yield command("datasets", "add", file, "--name", dataset.name, *known)
    elif dataset.name != DEMO_DATASET:
        yield command("datasets", "rename", DEMO_DATASET, dataset.name)


def _plan_commands(results: StudyResults) -> Iterator[str]:
    """The plan that makes the rows, in several parts where one takes too few seeds; nothing if none does."""
    for place, (first, count) in enumerate(_portions(results.rows)):
        name = further_name(results, first) if place else results.study.name
        if results.has_stages:
            yield stages_command(results, first, count, name)
        elif (plan := _plan(results)) is not None:
            yield command("study", *plan[0], "--name", name, *plan[1], *_seeds(first, count))


def _plan(results: StudyResults) -> tuple[list[str], list[str]] | None:
    """Options that say where a plan starts and what its runs do; None for rows that no plan makes."""
    dataset = ["--dataset", results.dataset.name]
    if results.rungs is not None:
        return ["--ladder"], [*dataset, *assignments(results.rungs.shared)]
    toggles = _single_changes(results)
    if toggles is None:
        return None
    own = changes(results.study.baseline, RunConfig())
    folds = own.pop("data.folds", 0)
    tried = [word for toggle in toggles for word in ("--change", toggle.label)]
    split = ["--folds", str(folds)] if folds else []
    return ["--preset", "default"], [*dataset, *assignments(own), *tried, *split]


def _single_changes(results: StudyResults) -> list[Toggle] | None:
    """The change that each row but the first makes to the baseline; None if any makes another, or several."""
    baseline, *others = (row.config.fingerprint("") for row in results.rows)
    if baseline != results.study.baseline.fingerprint(""):
        return None
    known = {config.fingerprint(""): toggle for toggle, config in _changed(results.study.baseline)}
    return [known[key] for key in others] if known.keys() >= set(others) else None


def _changed(baseline: RunConfig) -> Iterator[tuple[Toggle, RunConfig]]:
    """Every change that the baseline can take."""
    for toggle in TOGGLES:
        try:
            yield toggle, toggle.apply(baseline)
        except ConfigError:
            continue


def _others(results: StudyResults) -> list[ResultRow]:
    """Rows that are compared, but not of the study."""
    sides = (results.duel.ours, results.duel.theirs) if results.duel else ()
    return [row for row in sides if row is not None and row not in results.rows]


def _row_commands(results: StudyResults, row: ResultRow) -> Iterator[str]:
    """A row of its own: as a preset with repeats, or run by run."""
    if row.preset is not None:
        own = assignments(changes(row.config, row.preset.config))
        words = ["study", "--preset", row.preset.key, "--dataset", results.dataset.name, *own]
        for first, count in _portions([row]):
            yield command(*words, *_seeds(first, count))
        return
    for run in (*row.runs, *row.unfinished):
        yield training_command(run, results.dataset.name)


def _portions(rows: Iterable[ResultRow]) -> Iterator[tuple[int, int]]:
    """First and count of consecutive seeds that one plan takes, until the seeds of all rows are in."""
    seeds = {run.seed for row in rows for run in (*row.runs, *row.unfinished)}
    for first, last in spans(sorted(seeds)):
        for start in range(first, last + 1, MAX_REPEATS):
            yield start, min(MAX_REPEATS, last + 1 - start)


def _seeds(first: int, count: int) -> list[str]:
    return [*assignments({"train.seed": first} if first else {}), "--repeats", str(count)]
