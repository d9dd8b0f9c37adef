"""Numbers that results lack, each with the command that gets it."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marsseg.config import RunConfig
from marsseg.presets import PRESETS, Preset
from marsseg.services.ladder import changes
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
    gaps = [_unfinished(row, run) for row in results.rows for run in row.unfinished]
    if results.has_stages:
        gaps += _seeds_of_stages(results)
    else:
        gaps += [gap for row in results.rows for gap in _seeds_of_row(results, row)]
    for preset in results.missing_rungs:
        sentence = f"{preset.title} was not trained."
        gaps.append(Gap(sentence, preset_command(results, preset, results.beside)))
    return gaps + list(_of_duel(results))


def preset_command(
    results: StudyResults,
    preset: Preset,
    values: Mapping[str, Any],
    first_seed: int = 0,
    seeds: int = ENOUGH_SEEDS,
) -> str:
    """Trains a preset with these values in place of its own, and with some seeds."""
    before = preset.config.flat()
    own = {path: value for path, value in values.items() if value != before[path]}
    folds = own.pop("data.folds", 0)
    words = ["--preset", preset.key, "--dataset", results.dataset.name, *assignments(own)]
    if seeds == 1 and not folds:
        return command("train", *words, "--seed", str(first_seed))
    words += assignments({"train.seed": first_seed} if first_seed else {})
    words += ["--folds", str(folds)] if folds else []
    return command("study", *words, "--repeats", str(seeds))


def stages_command(results: StudyResults, first_seed: int, seeds: int, name: str) -> str:
    """Trains and combines both stages with some seeds, as a study of this name."""
    own = changes(results.study.baseline, RunConfig()) | ({"train.seed": first_seed} if first_seed else {})
    return command(
        *("study", "--preset", "default", "--two-stages", "--name", name),
        *("--dataset", results.dataset.name, *assignments(own), "--repeats", str(seeds)),
    )


def further_name(results: StudyResults, first_seed: int) -> str:
    """What a study of more seeds is called, as studies of one name cannot be told apart by it."""
    return f"{results.study.name}, seeds from {first_seed}"


def command(*words: str) -> str:
    """A command of this lab, for a shell."""
    return shlex.join(["python", "-m", "marsseg", *words])


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Values by path as options of a command."""
    return [word for path, value in values.items() for word in ("--set", f"{path}={json.dumps(value)}")]


def _seeds_of_stages(results: StudyResults) -> Iterator[Gap]:
    for first, last in spans(_missing_seeds(results.rows[-1])):
        line = stages_command(results, first, last - first + 1, further_name(results, first))
        yield Gap(f"Both stages lack {_seed_words(first, last)}.", line)


def _seeds_of_row(results: StudyResults, row: ResultRow) -> Iterator[Gap]:
    """One gap for seeds in a row where a preset is there to start from, else one for each.

    Combinations have none: what repeats them is other members.
    """
    for first, last in spans([] if row.config.combine.is_on else _missing_seeds(row)):
        if row.preset is not None:
            own = changes(row.config, row.preset.config)
            line = preset_command(results, row.preset, own, first, last - first + 1)
            yield Gap(f"{row.name} lacks {_seed_words(first, last)}.", line)
            continue
        example = (*row.runs, *row.unfinished)[0]
        for seed, fold in itertools.product(range(first, last + 1), range(row.config.data.folds or 1)):
            words = ["runs", "clone", example.id, "--seed", str(seed)]
            words += assignments({"data.fold": fold}) if row.config.data.folds else []
            yield Gap(f"{row.name} lacks seed {seed}{_fold_words(row.config, fold)}.", command(*words))


def _missing_seeds(row: ResultRow) -> list[int]:
    """The lowest seeds that make it enough."""
    seeds = {run.seed for run in (*row.runs, *row.unfinished)}
    unused = (seed for seed in itertools.count() if seed not in seeds)
    return list(itertools.islice(unused, max(0, ENOUGH_SEEDS - len(seeds))))


def spans(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    for _, span in itertools.groupby(enumerate(numbers), key=lambda place: place[1] - place[0]):
        members = [number for _, number in span]
        yield members[0], members[-1]


def _fold_words(config: RunConfig, fold: int) -> str:
    return f", fold {fold}" if config.data.folds else ""


def _seed_words(first: int, last: int) -> str:
    if first == last:
        return f"seed {first}"
    return f"seeds {first}{' and ' if last == first + 1 else ' to '}{last}"


def _unfinished(row: ResultRow, run: RunRecord) -> Gap:
    what = f"{row.name}, seed {run.seed}{_fold_words(row.config, run.config.data.fold)}"
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
            preset = PRESETS[name]
            yield Gap(
                f"{preset.title} ({name}) was not trained on {results.dataset.name}.",
                preset_command(results, preset, results.beside),
            )
        elif side not in results.rows:
            yield from _seeds_of_row(results, side)
