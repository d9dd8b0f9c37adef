"""What a study found: the scores of its rows, how they differ, and which numbers are still missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marsseg.config import RunConfig
from marsseg.errors import NotFoundError
from marsseg.metrics import SPLITS
from marsseg.presets import LADDER, Preset
from marsseg.services.lab import Lab
from marsseg.services.ladder import Rungs, find_rungs
from marsseg.services.result_rows import DECODING_OF, HEADLINE, Comparison, ResultRow, RowReader
from marsseg.services.splits import SPLIT_FIELDS, SplitPart, split_of_run
from marsseg.store.records import DatasetRecord, RunRecord, StudyRecord

_LENGTH_AND_SPLIT = ("train.epochs", *(f"data.{name}" for name in SPLIT_FIELDS if name != "fold"))


@dataclass(frozen=True, slots=True)
class Duel:
    """Two configurations that people want compared; a side is None where it has no runs yet.

    Args:
        names: what was asked for.
        candidate: the first of them, if it was asked for.
        comparisons: one for each split and lens; empty while a side is missing.
    """

    names: tuple[str, str]
    ours: ResultRow | None
    theirs: ResultRow | None
    comparisons: tuple[Comparison, ...]
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class StudyResults:
    """All that a study tells so far.

    Args:
        key: what finds the study: its name, or its number where others are called the same.
        dropped_rows: of the dataset, those that its runs left out.
        rungs: what makes its rows the report's ladder; None if they are anything else.
        rows: of a ladder the report's order, else the order of the plan.
        steps: each row against the one below it, where it is no ladder, against the first; of two stages,
            what they make together against the second alone, which only the strict lens can tell apart.
        upside_down: pairs of rows in which the report's higher one scored lower here.
    """

    study: StudyRecord
    key: str
    dataset: DatasetRecord
    dropped_rows: tuple[int, ...]
    split: tuple[SplitPart, ...]
    rungs: Rungs | None
    rows: tuple[ResultRow, ...]
    steps: tuple[Comparison, ...]
    upside_down: tuple[Comparison, ...]
    duel: Duel | None

    @property
    def beside(self) -> Mapping[str, Any]:
        """Values by path with which a preset that is trained later can stand beside the rows."""
        return _beside(self.rungs, self.study.baseline)

    @property
    def has_stages(self) -> bool:
        """Whether its last row combines the others."""
        return self.rows[-1].config.combine.is_on

    @property
    def missing_rungs(self) -> tuple[Preset, ...]:
        """Rows of the report that have no run at all at the study's budget."""
        known = {row.preset for row in self.rows}
        return tuple(preset for preset in LADDER if preset not in known) if self.rungs else ()


def study_results(
    lab: Lab, study: str, *, candidate: str | None = None, against: str | None = None
) -> StudyResults:
    """Gather what a study found. Reads the store only; the same store gives the same results.

    Args:
        study: its number or its name.
        candidate: with `against`, what is compared with it: a preset, a run or a fingerprint; by default the
            top of the ladder, or the first row of another study.

    Raises:
        NotFoundError: there is no such study, it has no runs or all are archived, or no preset or run goes
            by a name.
    """
    record = get_study(lab, study)
    runs = lab.store.list_runs(study_id=record.id)
    planned = [run for run in reversed(runs) if not run.archived]
    if not planned:
        raise _nothing_to_show(record, runs)
    reader = RowReader(lab, planned[0])
    by_key: dict[str, list[RunRecord]] = {}
    for run in planned:
        by_key.setdefault(run.fingerprint, []).append(run)
    rungs = find_rungs([runs[0].config for runs in by_key.values()])
    presets = rungs.presets if rungs else (None,) * len(by_key)
    rows = [
        reader.row(key, runs, preset) for (key, runs), preset in zip(by_key.items(), presets, strict=True)
    ]
    if rungs:
        rows += reader.rungs_elsewhere(rungs)
        rows.sort(key=lambda row: LADDER.index(row.preset) if row.preset else 0)
    return StudyResults(
        study=record,
        key=_key(lab, record),
        dropped_rows=planned[0].dropped_rows,
        dataset=lab.store.get_dataset(planned[0].dataset_id),
        split=tuple(split_of_run(lab, planned[0])),
        rungs=rungs,
        rows=tuple(rows),
        steps=tuple(_steps(reader, rows, rungs)),
        upside_down=tuple(_upside_down(reader, rows)) if rungs else (),
        duel=None if against is None else _duel(reader, rows, rungs, (candidate, against), record.baseline),
    )


def get_study(lab: Lab, key: str) -> StudyRecord:
    """A study by its number or its name.

    Raises:
        NotFoundError: there is none, or several have the name.
    """
    studies = lab.store.list_studies()
    found = [each for each in studies if str(each.id) == key.strip()]
    found = found or [each for each in studies if each.name == key.strip()]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{each.id} ({each.name})" for each in found or studies) or "none yet"
    what = f"Several studies are called {key!r}; give a number" if found else f"There is no study {key!r}"
    raise NotFoundError(f"{what}. Studies: {listed}.")


def _nothing_to_show(study: StudyRecord, archived: Sequence[RunRecord]) -> NotFoundError:
    """Why a study has no run to write up: all of them were put away, or deleted."""
    which = f"study {study.id} ({study.name})"
    if not archived:
        return NotFoundError(f"There are no runs of {which} any more; queue it anew.")
    what = f"All {len(archived)} runs of {which} are" if len(archived) > 1 else f"The one run of {which} is"
    return NotFoundError(
        f"{what} archived; `python -m marsseg runs list --archived` shows what is, and "
        "`python -m marsseg runs archive --undo ID…` brings back what shall count."
    )


def _key(lab: Lab, study: StudyRecord) -> str:
    is_unique = [each.name for each in lab.store.list_studies()].count(study.name) == 1
    return study.name if is_unique and not study.name.isdigit() else str(study.id)


def _steps(reader: RowReader, rows: Sequence[ResultRow], rungs: Rungs | None) -> Iterator[Comparison]:
    lens, split = HEADLINE
    pairs = itertools.pairwise(rows) if rungs else ((rows[0], row) for row in rows[1:])
    if rows[-1].config.combine.is_on:
        lens, pairs = "strict", itertools.pairwise(rows[-2:])
    for below, above in pairs:
        yield reader.compare(above, below, lens, split)


def _upside_down(reader: RowReader, rows: Sequence[ResultRow]) -> list[Comparison]:
    return [
        reader.compare(above, below, *HEADLINE)
        for below, above in itertools.combinations(rows, 2)
        if above.mean(*HEADLINE) < below.mean(*HEADLINE)
    ]


def _beside(rungs: Rungs | None, baseline: RunConfig) -> Mapping[str, Any]:
    """What the rows of a ladder share; of other rows, how long they are trained and how tiles are split."""
    values = baseline.flat()
    return rungs.shared if rungs else {path: values[path] for path in _LENGTH_AND_SPLIT}


def _duel(
    reader: RowReader,
    rows: Sequence[ResultRow],
    rungs: Rungs | None,
    asked: tuple[str | None, str],
    baseline: RunConfig,
) -> Duel:
    shared = _beside(rungs, baseline)
    usual = rows[-1] if rungs else rows[0]
    ours = usual if asked[0] is None else reader.find(asked[0], rows, shared)
    theirs = reader.find(asked[1], rows, shared)
    names = (asked[0] or usual.name, asked[1])
    if ours is None or theirs is None:
        return Duel(names, ours, theirs, (), asked[0])
    sides = [(split, lens) for split in reversed(SPLITS) for lens in DECODING_OF]
    pairs = tuple(reader.compare(ours, theirs, lens, split) for split, lens in sides)
    return Duel(names, ours, theirs, pairs, asked[0])
