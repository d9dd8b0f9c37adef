"""Runs that repeat one another, and how far such groups differ from a baseline."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsseg.config import DataConfig, RunConfig
from marsseg.config.fields import matters
from marsseg.errors import DatasetError
from marsseg.metrics import Decoding, Lens, Split, class_iou, mean_iou, mean_of_known
from marsseg.services.datasets import arrays_of
from marsseg.services.lab import Lab
from marsseg.services.pooling import Pool, pooled, pools_of
from marsseg.services.splits import SPLIT_FIELDS
from marsseg.statistics import Judged, common_images, mean_and_sd, paired_difference
from marsseg.store.records import EvaluationRecord, RunRecord, RunStatus

MAX_INTERVALS = 50
"""Rows that get an interval of their difference; each costs a bootstrap over images."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A difference of mean IoU to the baseline on the images that both were judged on.

    Args:
        low, high: 95 % interval, where one can be given.
        shared_tiles: how many tiles that was, if one side was judged on others too; the difference is then
            not that of the two scores.
    """

    value: float
    low: float | None = None
    high: float | None = None
    shared_tiles: int | None = None


@dataclass(frozen=True, slots=True)
class RunGroup:
    """What becomes a row.

    Args:
        key: fingerprint, or id of a run that was stopped early.
        runs: its runs, the oldest first.
        pools: the runs behind each score: one by one, or the folds of one seed together.
        totals: the summed confusion matrix of each pool.
    """

    key: str
    runs: tuple[RunRecord, ...]
    pools: tuple[Pool, ...]
    totals: tuple[np.ndarray, ...]

    @property
    def config(self) -> RunConfig:
        """What all its runs do, seed and fold aside."""
        return self.runs[0].config

    @property
    def is_partial(self) -> bool:
        """Whether this is a run that was stopped before its last epoch."""
        return self.runs[0].status is not RunStatus.COMPLETED

    @property
    def tiles(self) -> frozenset[Hashable]:
        """What decides on which tiles the runs were judged."""
        return frozenset(
            (run.dropped_rows, *_split_values(run.config.data)) for pool in self.pools for run in pool
        )

    @property
    def knows_terrain(self) -> bool:
        """False for a first stage: it learned background against the rest, so its terrain is a guess."""
        return self.config.data.tells_terrain

    def scores(self, lens: Lens) -> list[float]:
        """A score of each pool; NaN where nothing counts, and for a network that knows no terrain."""
        return [score_of(self.config, total, lens) for total in self.totals]

    def score(self, lens: Lens) -> float:
        """Mean over repeats, folds pooled on the validation split; NaN where nothing counts."""
        return mean_and_sd(self.scores(lens))[0]

    def class_iou(self, lens: Lens) -> tuple[float, ...]:
        """Five means over repeats, NaN where a class does not count or is not known."""
        return known_iou(self.config, mean_of_known(class_iou(np.stack(self.totals), lens), axis=0))


def _split_values(data: DataConfig) -> tuple[Any, ...]:
    """What divides the tiles; None for a field that has no say, such as the validation share of folds."""
    return tuple(getattr(data, name) if matters(DataConfig, name, data) else None for name in SPLIT_FIELDS)


def score_of(config: RunConfig, total: np.ndarray, lens: Lens) -> float:
    """Mean IoU of a (5, 5) confusion matrix; NaN where nothing counts, or the network knows no terrain."""
    return mean_iou(total, lens) if config.data.tells_terrain else math.nan


def known_iou(config: RunConfig, ious: np.ndarray) -> tuple[float, ...]:
    """Five IoUs, NaN for the terrain classes where the network knows no terrain."""
    background, *terrain = ious.tolist()
    return background, *(terrain if config.data.tells_terrain else [math.nan] * 4)


FindById = Callable[[str], RunRecord | None]


def group_runs(
    runs: Sequence[RunRecord], totals: Mapping[str, np.ndarray], split: Split, find_by_id: FindById
) -> list[RunGroup]:
    """Completed runs by fingerprint, and each stopped run alone; oldest group first.

    Of deterministic runs with one seed and fold the latest counts: the others are copies, and a deviation
    over copies would claim a certainty that nobody measured.

    Args:
        runs: newest first.
        totals: confusion matrix of each run, summed over the split, by id.
        find_by_id: gives the members of combinations.
    """
    members: defaultdict[str, dict[Hashable, RunRecord]] = defaultdict(dict)
    for run in reversed(runs):
        key = run.fingerprint if run.status is RunStatus.COMPLETED else run.id
        members[key][_what_repeats(run, find_by_id)] = run
    return [_group(key, tuple(repeats.values()), totals, split) for key, repeats in members.items()]


def _what_repeats(run: RunRecord, find_by_id: FindById) -> Hashable:
    """Runs of one configuration that are alike in this are copies of each other."""
    combination, train = run.config.combine, run.config.train
    if combination.is_on:
        members = [_member(run_id, find_by_id) for run_id in combination.members]
        return tuple(members if combination.rule == "two_stage" else sorted(members, key=repr))
    return train.seed, run.config.data.fold, None if train.deterministic else run.id


def _member(run_id: str, find_by_id: FindById) -> Hashable:
    """What a member is, whatever its id; one that was deleted is like no other."""
    run = find_by_id(run_id)
    return run_id if run is None else (run.fingerprint, _what_repeats(run, find_by_id))


def find_copies(runs: Sequence[RunRecord], find_by_id: FindById) -> tuple[RunRecord, RunRecord] | None:
    """The first two of these runs that are copies of each other; one that was stopped early has no copy."""
    seen: dict[Hashable, RunRecord] = {}
    for run in runs:
        if run.status is RunStatus.STOPPED:
            continue
        first = seen.setdefault((run.fingerprint, _what_repeats(run, find_by_id)), run)
        if first is not run:
            return first, run
    return None


def _group(key: str, runs: tuple[RunRecord, ...], totals: Mapping[str, np.ndarray], split: Split) -> RunGroup:
    pools = pools_of(runs, split)
    return RunGroup(
        key, runs, pools, tuple(np.sum([totals[run.id] for run in pool], axis=0) for pool in pools)
    )


def deltas_to(
    lab: Lab,
    baseline: RunGroup,
    groups: Sequence[RunGroup],
    *,
    lens: Lens,
    split: Split,
    decoding: Decoding,
) -> dict[str, Delta | None]:
    """Differences of the other groups to the baseline by key; an interval for the first `MAX_INTERVALS`.

    None where too few images were judged by both, or one side has no score. Without intervals if the dataset
    was cut from frames and can no longer be opened to tell which.
    """
    others = [group for group in groups if group is not baseline]
    try:
        frames = _frames(lab, baseline.runs[0]) if others else None
    except DatasetError:
        return _plain_deltas(others, baseline, lens)
    closer, rest = others[:MAX_INTERVALS], others[MAX_INTERVALS:]
    run_ids = [run.id for group in [baseline, *closer] for run in group.runs]
    judged = {each.run_id: each for each in lab.store.list_evaluations(run_ids, split, decoding)}
    return _plain_deltas(rest, baseline, lens) | {
        group.key: _delta(group, baseline, judged, lens, frames) for group in closer
    }


def _frames(lab: Lab, run: RunRecord) -> NDArray[np.int64] | None:
    """(N,) the frame of each tile of the run's dataset; None where it knows none.

    Raises:
        DatasetError: it knows them, and its files are gone or damaged.
    """
    dataset = lab.store.get_dataset(run.dataset_id)
    return arrays_of(lab, dataset).groups if dataset.meta["has_groups"] else None


def _delta(
    group: RunGroup,
    baseline: RunGroup,
    judged: Mapping[str, EvaluationRecord],
    lens: Lens,
    frames: NDArray[np.int64] | None,
) -> Delta | None:
    """The difference with its bootstrap interval over the images that both groups were judged on."""
    ours, theirs = (_judged(side, judged) for side in (group, baseline))
    common, seen = common_images(ours, theirs)
    if common < 2 or not (group.knows_terrain and baseline.knows_terrain):
        return None
    difference = paired_difference(ours, theirs, lens, frames=frames)
    if math.isnan(difference.delta):
        return None
    has_interval = not math.isnan(difference.low)
    low, high = (difference.low, difference.high) if has_interval else (None, None)
    return Delta(difference.delta, low, high, common if common < seen else None)


def _judged(group: RunGroup, judged: Mapping[str, EvaluationRecord]) -> list[Judged]:
    """One judgement a pool, of all images that its runs were judged on."""
    known = [[judged[run.id] for run in pool if run.id in judged] for pool in group.pools]
    return [pooled(pool) for pool in known if pool]


def _plain_deltas(groups: Sequence[RunGroup], baseline: RunGroup, lens: Lens) -> dict[str, Delta | None]:
    """The differences of the scores by key, where they are of the same tiles; there may be ten thousand."""
    score, tiles = baseline.score(lens), baseline.tiles
    values = {group.key: group.score(lens) - score for group in groups if group.tiles == tiles}
    return {
        group.key: None if math.isnan(value := values.get(group.key, math.nan)) else Delta(value)
        for group in groups
    }
