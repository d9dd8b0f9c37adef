"""What helped: runs grouped by fingerprint, scored from stored confusion matrices, compared to a baseline."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast, get_args

import numpy as np

from marsseg.config import describe
from marsseg.config.describe import FIELDS, format_value
from marsseg.errors import NotFoundError
from marsseg.metrics import Decoding, Lens, Split
from marsseg.services.caveats import TWO_STAGES_UNSEEN
from marsseg.services.combining import shared_values
from marsseg.services.comparing import Delta, RunGroup, deltas_to, group_runs
from marsseg.services.lab import Lab
from marsseg.services.pooling import FoldState, fold_state
from marsseg.services.runs import find_members
from marsseg.statistics import mean_and_sd
from marsseg.store.records import ENDED_WELL, RunRecord, RunStatus


@dataclass(frozen=True, slots=True)
class LeaderboardQuery:
    """Which runs to rank and how to score them.

    Args:
        dataset: name of the dataset; None for the one with the latest scored run.
        baseline: fingerprint, or what names a run (see `RunStore.find_run`), that differences are taken to;
            None for the oldest group.
    """

    lens: Lens = "terrain"
    decoding: Decoding = "terrain_only"
    split: Split = "test"
    dataset: str | None = None
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One configuration with all its repeats, or one run that was stopped early, which repeats nothing.

    Args:
        key: what tells rows apart: the fingerprint, or the id of a run that was stopped early.
        name: what differs from the baseline, or the name that a person gave.
        is_baseline: whether the others are compared to this one.
        is_partial: whether this is a run that was stopped before its last epoch.
        n: how many scores were averaged: repeats, where folds pooled are one score.
        folds: how far its folds have come, and whether they are pooled; None without folds.
        score: mean over repeats of mean IoU, 0 to 1; NaN where no class counts.
        sd: standard deviation over repeats; None for a single one.
        class_iou: five means over repeats, NaN where a class does not count.
        delta: None for the baseline itself, and where too few images were judged by both.
        values: effective configuration by dotted path.
        seconds: mean training time.
    """

    key: str
    fingerprint: str
    name: str
    is_baseline: bool
    is_partial: bool
    run_ids: tuple[str, ...]
    n: int
    folds: FoldState | None
    score: float
    sd: float | None
    class_iou: tuple[float, ...]
    delta: Delta | None
    values: Mapping[str, Any]
    parameters: int | None
    seconds: float | None

    @property
    def basis(self) -> str:
        """What its score is made of, such as "5 folds pooled" or "mean ± sd over 3 runs"."""
        if self.folds is not None:
            return self.folds.words
        return "1 run" if self.n == 1 else f"mean ± sd over {self.n} runs"


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The ranking, best first.

    Args:
        baseline: key of the row that the others are compared to; None on an empty board.
        toggles: the paths in which the rows differ.
    """

    query: LeaderboardQuery
    dataset: str | None
    baseline: str | None
    rows: tuple[LeaderboardRow, ...]
    toggles: tuple[str, ...]
    version: int

    @property
    def has_folds(self) -> bool:
        """Whether any row speaks of folds, so that each needs to say what its score is made of."""
        return any(row.folds is not None for row in self.rows)

    @property
    def caveat(self) -> str:
        """What one must know to read its scores; usually nothing."""
        blind = self.query.lens == "terrain" or self.query.decoding == "terrain_only"
        staged = any(row.values.get("combine.rule") == "two_stage" for row in self.rows)
        return TWO_STAGES_UNSEEN if blind and staged else ""

    @property
    def has_other_tiles(self) -> bool:
        """Whether any row was scored on other tiles than the baseline, so that Δ says on how many."""
        return any(row.delta is not None and row.delta.shared_tiles is not None for row in self.rows)


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
    """Rank the runs of one dataset that were completed, or stopped after an epoch or more.

    Raises:
        NotFoundError: the query names an unknown dataset, or a baseline that is unknown, not on the board, or
            fits several runs.
    """
    return _ranked(lab, query or LeaderboardQuery(), lab.store.version())


@lru_cache(maxsize=32)
def _ranked(lab: Lab, query: LeaderboardQuery, version: int) -> Leaderboard:
    """Rank once for each version of the store, since a page asks again at every rerun."""
    totals = lab.store.confusion_totals(query.split, query.decoding)
    runs = [
        run
        for run in lab.store.list_runs(statuses=ENDED_WELL, archived=False)
        if run.id in totals and (run.best_epoch or run.config.combine.is_on)
    ]
    dataset = _dataset(lab, query, runs)
    ranked_runs = [run for run in runs if run.dataset_name == dataset]
    groups = group_runs(ranked_runs, totals, query.split, lab.store.find_by_id)
    baseline = _baseline(lab, query, groups)
    if baseline is None:
        return Leaderboard(query, dataset, None, (), (), version)
    ranked = sorted(groups, key=lambda group: _rank(group.score(query.lens)), reverse=True)
    deltas = deltas_to(lab, baseline, ranked, lens=query.lens, split=query.split, decoding=query.decoding)
    rows = tuple(_row(group, baseline, deltas.get(group.key), query, _values(lab, group)) for group in ranked)
    return Leaderboard(query, dataset, baseline.key, rows, _toggles(rows), version)


def filter_board(board: Leaderboard, words: str) -> Leaderboard:
    """The rows whose name, or whose toggles that differ, hold words that begin with all of these."""
    wanted = [re.compile(rf"(?<!\w){re.escape(word)}") for word in words.casefold().split()]
    rows = tuple(row for row in board.rows if all(word.search(_text(row, board.toggles)) for word in wanted))
    return replace(board, rows=rows)


def scored_datasets(lab: Lab) -> Sequence[str]:
    """Names of the datasets that have scored runs, latest first."""
    return _scored_datasets(lab, lab.store.version())


@lru_cache(maxsize=8)
def _scored_datasets(lab: Lab, version: int) -> tuple[str, ...]:  # noqa: ARG001 - part of the cache's key
    totals = lab.store.confusion_totals("test", "argmax")
    runs = lab.store.list_runs(statuses=ENDED_WELL, archived=False)
    return tuple(dict.fromkeys(run.dataset_name for run in runs if run.id in totals))


def _dataset(lab: Lab, query: LeaderboardQuery, runs: Sequence[RunRecord]) -> str | None:
    if query.dataset:
        return lab.store.get_dataset(query.dataset).name
    return runs[0].dataset_name if runs else None


def _baseline(lab: Lab, query: LeaderboardQuery, groups: Sequence[RunGroup]) -> RunGroup | None:
    """The group asked for, or else the oldest one; None on an empty board if none was asked for."""
    if query.baseline is None:
        able = [group for group in groups if group.knows_terrain] or groups
        return next((group for group in able if not group.is_partial), able[0] if able else None)
    by_key = {group.key: group for group in groups}
    if query.baseline in by_key:
        return by_key[query.baseline]
    run = lab.store.find_run(query.baseline)
    if run is not None:
        key = run.fingerprint if run.status is RunStatus.COMPLETED else run.id
        if key in by_key:  # also of an older copy, which the board does not list
            return by_key[key]
    remedy = "give the id of a run that the board lists."
    if not groups:
        remedy = f"no run{f' on {query.dataset}' if query.dataset else ''} has been scored yet."
    raise NotFoundError(
        f"No scored run or configuration {query.baseline!r} on this board to take as the baseline; {remedy}"
    )


def _rank(score: float) -> float:
    """What to sort by: a row without a score comes last."""
    return -1.0 if math.isnan(score) else score


def _values(lab: Lab, group: RunGroup) -> dict[str, Any]:
    """Effective configuration; of a combination, what all its members share, and how they are combined."""
    if not group.config.combine.is_on:
        return group.config.effective()
    known = [member.config for member in find_members(lab, group.runs[0]).values() if member is not None]
    how = {path: value for path, value in group.config.effective().items() if path.startswith("combine.")}
    return {**(shared_values(known) if known else {}), **how}


def _row(
    group: RunGroup,
    baseline: RunGroup,
    delta: Delta | None,
    query: LeaderboardQuery,
    values: Mapping[str, Any],
) -> LeaderboardRow:
    score, sd = mean_and_sd(group.scores(query.lens))
    seconds = [run.train_seconds for run in group.runs if run.train_seconds is not None]
    return LeaderboardRow(
        key=group.key,
        fingerprint=group.runs[0].fingerprint,
        name=_name(group, baseline),
        is_baseline=group is baseline,
        is_partial=group.is_partial,
        run_ids=tuple(run.id for run in group.runs),
        n=len(group.pools),
        folds=fold_state(group.runs, group.pools, query.split),
        score=score,
        sd=sd,
        class_iou=group.class_iou(query.lens),
        delta=delta,
        values=values,
        parameters=group.runs[-1].parameters,
        seconds=float(np.mean(seconds)) if seconds else None,
    )


def _name(group: RunGroup, baseline: RunGroup) -> str:
    """A name that a person typed for all repeats wins; else what differs from the baseline of this board."""
    typed = {run.config.name for run in group.runs}
    name = typed.pop() if len(typed) == 1 else ""
    if group.config.combine.is_on:
        name = name or group.runs[0].name
    name = name or describe(group.config, baseline.config)
    if group is baseline:
        name = group.runs[0].name
    name = f"{name} (stopped early)" if group.is_partial else name
    says_so = group.knows_terrain or "background" in name
    return name if says_so else f"{name} (background only)"


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
    """What a filter looks at: the name, and what is on, e.g. "skip gate gated"."""
    known = {path: row.values.get(path) for path in toggles}
    values = [
        f"{FIELDS[path].ui.label} {format_value(value)}"
        for path, value in known.items()
        if value is not None and value is not False
    ]
    return " ".join([row.name, *values, *row.run_ids]).casefold()
