"""What helped: runs grouped by fingerprint, scored from stored confusion matrices, compared to a baseline."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast, get_args

import numpy as np

from marsseg.config import RunConfig, describe
from marsseg.config.describe import FIELDS, format_value
from marsseg.errors import NotFoundError
from marsseg.metrics import Decoding, Lens, Split, class_iou, mean_iou
from marsseg.services.lab import Lab
from marsseg.store.records import EvaluationRecord, RunRecord

MAX_INTERVALS = 50
"""Rows that get an interval of their difference; each costs a bootstrap over images."""


@dataclass(frozen=True, slots=True)
class LeaderboardQuery:
    """Which runs to rank and how to score them.

    Args:
        dataset: name of the dataset; None for the one with the latest scored run.
        baseline: id of a run or fingerprint that differences are taken to; None for the oldest group.
    """

    lens: Lens = "terrain"
    decoding: Decoding = "terrain_only"
    split: Split = "test"
    dataset: str | None = None
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A difference of mean IoU to the baseline, with a 95 % interval where one can be given."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One configuration with all its repeats.

    Args:
        name: what differs from the baseline, or the name that a person gave.
        score: mean over repeats of mean IoU, 0 to 1.
        sd: standard deviation over repeats; None for a single run.
        class_iou: five means over repeats, NaN where a class does not count.
        delta: None for the baseline itself.
        values: effective configuration by dotted path.
        seconds: mean training time.
    """

    fingerprint: str
    name: str
    run_ids: tuple[str, ...]
    score: float
    sd: float | None
    class_iou: tuple[float, ...]
    delta: Delta | None
    values: Mapping[str, Any]
    parameters: int | None
    seconds: float | None

    @property
    def n(self) -> int:
        """How many repeats."""
        return len(self.run_ids)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The ranking, best first. `toggles` are the paths in which the rows differ."""

    query: LeaderboardQuery
    dataset: str | None
    baseline: str | None
    rows: tuple[LeaderboardRow, ...]
    toggles: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Repeats of one configuration with their summed confusion matrices."""

    fingerprint: str
    runs: tuple[RunRecord, ...]
    totals: tuple[np.ndarray, ...]

    @property
    def config(self) -> RunConfig:
        return self.runs[0].config


def make_query(lens: str, decoding: str, split: str, **rest: str | None) -> LeaderboardQuery:
    """A query from plain text.

    Raises:
        NotFoundError: a word names no lens, decoding or split.
    """
    for kind, word, known in (
        ("lens", lens, Lens),
        ("decoding", decoding, Decoding),
        ("split", split, Split),
    ):
        if word not in get_args(known):
            raise NotFoundError(f"There is no {kind} {word!r}; choose one of {', '.join(get_args(known))}.")
    return LeaderboardQuery(cast(Lens, lens), cast(Decoding, decoding), cast(Split, split), **rest)


def leaderboard(lab: Lab, query: LeaderboardQuery | None = None) -> Leaderboard:
    """Rank all scored runs of one dataset.

    Raises:
        NotFoundError: the query names an unknown dataset or baseline.
    """
    return _ranked(lab, query or LeaderboardQuery(), lab.store.version())


@lru_cache(maxsize=32)
def _ranked(lab: Lab, query: LeaderboardQuery, version: int) -> Leaderboard:
    """Rank once for each version of the store, since a page asks again at every rerun."""
    totals = lab.store.confusion_totals(query.split, query.decoding)
    runs = [run for run in lab.store.list_runs() if run.id in totals]
    dataset = _dataset(lab, query, runs)
    groups = _group([run for run in runs if run.dataset_name == dataset], totals)
    if not groups:
        return Leaderboard(query, dataset, None, (), (), version)
    baseline = _baseline(query, groups)
    scored = sorted(groups, key=lambda group: _score(group, query.lens), reverse=True)
    deltas = _deltas(lab, scored, baseline, query)
    rows = tuple(_row(group, baseline, deltas[group.fingerprint], query.lens) for group in scored)
    return Leaderboard(query, dataset, baseline.fingerprint, rows, _toggles(rows), version)


def filter_board(board: Leaderboard, words: str) -> Leaderboard:
    """The rows whose name, or whose toggles that differ, hold words that begin with all of these."""
    wanted = [re.compile(rf"(?<!\w){re.escape(word)}") for word in words.casefold().split()]
    rows = tuple(row for row in board.rows if all(word.search(_text(row, board.toggles)) for word in wanted))
    return replace(board, rows=rows)


def scored_datasets(lab: Lab) -> list[str]:
    """Names of the datasets that have scored runs, latest first."""
    totals = lab.store.confusion_totals("test", "argmax")
    return list(dict.fromkeys(run.dataset_name for run in lab.store.list_runs() if run.id in totals))


def _dataset(lab: Lab, query: LeaderboardQuery, runs: Sequence[RunRecord]) -> str | None:
    if query.dataset:
        return lab.store.get_dataset(query.dataset).name
    return runs[0].dataset_name if runs else None


def _group(runs: Sequence[RunRecord], totals: Mapping[str, np.ndarray]) -> list[_Group]:
    """Group runs by fingerprint, oldest group first."""
    members: defaultdict[str, list[RunRecord]] = defaultdict(list)
    for run in reversed(runs):
        members[run.fingerprint].append(run)
    return [
        _Group(fingerprint, tuple(runs), tuple(totals[run.id] for run in runs))
        for fingerprint, runs in members.items()
    ]


def _baseline(query: LeaderboardQuery, groups: Sequence[_Group]) -> _Group:
    if query.baseline is None:
        return groups[0]
    for group in groups:
        if query.baseline == group.fingerprint or query.baseline in {run.id for run in group.runs}:
            return group
    raise NotFoundError(
        f"No scored run or configuration {query.baseline!r} on this board to take as the baseline; "
        "give the id of a run that the board lists."
    )


def _score(group: _Group, lens: Lens) -> float:
    """Mean over repeats; -1 where nothing counts, so that such a group ranks last."""
    scores = [mean_iou(total, lens) for total in group.totals]
    known = [score for score in scores if not np.isnan(score)]
    return float(np.mean(known)) if known else -1.0


def _row(group: _Group, baseline: _Group, delta: Delta | None, lens: Lens) -> LeaderboardRow:
    from marsseg.statistics import mean_and_sd

    score, sd = mean_and_sd([mean_iou(total, lens) for total in group.totals])
    seconds = [run.train_seconds for run in group.runs if run.train_seconds is not None]
    return LeaderboardRow(
        fingerprint=group.fingerprint,
        name=_name(group, baseline),
        run_ids=tuple(run.id for run in group.runs),
        score=score,
        sd=sd,
        class_iou=_mean_class_iou(group, lens),
        delta=delta,
        values=group.config.effective(),
        parameters=group.runs[-1].parameters,
        seconds=float(np.mean(seconds)) if seconds else None,
    )


def _name(group: _Group, baseline: _Group) -> str:
    """A name that a person typed wins; otherwise what differs from the baseline of this board."""
    if group is baseline:
        return group.runs[0].name
    typed = next((run.config.name for run in group.runs if run.config.name), "")
    return typed or describe(group.config, baseline.config)


def _mean_class_iou(group: _Group, lens: Lens) -> tuple[float, ...]:
    stacked = np.stack([class_iou(total, lens) for total in group.totals])
    counted = ~np.isnan(stacked)
    sums = np.where(counted, stacked, 0.0).sum(axis=0)
    return tuple(
        float(total / n) if n else float("nan") for total, n in zip(sums, counted.sum(axis=0), strict=True)
    )


def _deltas(
    lab: Lab, groups: Sequence[_Group], baseline: _Group, query: LeaderboardQuery
) -> dict[str, Delta | None]:
    others = [group for group in groups if group is not baseline]
    deltas: dict[str, Delta | None] = {baseline.fingerprint: None}
    base_score = _score(baseline, query.lens)
    for group in others:
        deltas[group.fingerprint] = Delta(_score(group, query.lens) - base_score)
    with_intervals = others[:MAX_INTERVALS]
    run_ids = [run.id for group in [baseline, *with_intervals] for run in group.runs]
    records = {
        record.run_id: record for record in lab.store.list_evaluations(run_ids, query.split, query.decoding)
    }
    reference = _pooled(baseline, records)
    for group in with_intervals:
        deltas[group.fingerprint] = _delta(
            deltas[group.fingerprint], _pooled(group, records), reference, query.lens
        )
    return deltas


def _delta(
    plain: Delta | None, ours: Mapping[int, np.ndarray], reference: Mapping[int, np.ndarray], lens: Lens
) -> Delta | None:
    """Add the bootstrap interval over the images that both groups were judged on."""
    from marsseg.statistics import paired_difference

    rows = sorted(ours.keys() & reference.keys())
    if plain is None or len(rows) < 2:
        return plain
    difference = paired_difference(
        np.stack([ours[row] for row in rows]), np.stack([reference[row] for row in rows]), lens
    )
    shift = plain.value - difference.delta
    return Delta(plain.value, difference.low + shift, difference.high + shift)


def _pooled(group: _Group, records: Mapping[str, EvaluationRecord]) -> dict[int, np.ndarray]:
    """Confusion matrices by image, summed over the repeats that were judged on it."""
    pooled: dict[int, np.ndarray] = {}
    for run in group.runs:
        record = records.get(run.id)
        if record is None:
            continue
        for row, confusion in zip(record.rows.tolist(), record.confusions, strict=True):
            pooled[row] = pooled[row] + confusion if row in pooled else confusion
    return pooled


def _toggles(rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    """Paths in which rows differ; a run's seed and name never count.

    A field that matters to some rows only, such as the squeeze ratio, counts if it differs among those.
    """
    return tuple(
        path
        for path, view in FIELDS.items()
        if view.ui.names_run and len({repr(row.values[path]) for row in rows if path in row.values}) > 1
    )


def _text(row: LeaderboardRow, toggles: Sequence[str]) -> str:
    """What a filter looks at: the name, and e.g. "skip gate gated"."""
    values = [f"{FIELDS[path].ui.label} {format_value(row.values.get(path))}" for path in toggles]
    return " ".join([row.name, *values, *row.run_ids]).casefold()
