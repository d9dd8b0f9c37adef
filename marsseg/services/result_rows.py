"""Rows of results: a configuration with all runs that tell its scores, and how two of them differ."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marsseg.config import RunConfig
from marsseg.errors import NotFoundError
from marsseg.metrics import SPLITS, Decoding, Lens, Split
from marsseg.presets import LADDER, PRESETS, Preset
from marsseg.services import pooling
from marsseg.services.comparing import Delta, RunGroup, deltas_to, group_runs
from marsseg.services.lab import Lab
from marsseg.services.ladder import Rungs, changes, is_with
from marsseg.statistics import mean_and_sd, welch_interval
from marsseg.store.records import RunRecord, RunStatus, tiles_identity

DECODING_OF: dict[Lens, Decoding] = {"terrain": "terrain_only", "course": "argmax", "strict": "argmax"}
"""Without background among the answers, the course lens is the terrain lens and the strict one senseless."""
_BUDGET = tuple(
    f"train.{name}"
    for name in ("epochs", "batch_size", "learning_rate", "plateau_patience", "early_stop_patience")
)
"""Fields in which runs of a preset may differ and still be what it stands for, trained longer or shorter."""
HEADLINE: tuple[Lens, Split] = ("terrain", "test")


@dataclass(frozen=True, slots=True, eq=False)  # rows hold arrays; each is itself alone
class ResultRow:
    """One configuration with the runs that tell its scores.

    Args:
        name: the preset's title, or what its runs are called.
        preset: the preset that it is, at the study's budget; None if it is none.
        runs: completed runs, whether they were queued with the study or later as repeats; oldest first.
        unfinished: runs of the study that have no scores.
        groups: these runs as the leaderboard groups them, by split and decoding; without scores, not there.
    """

    name: str
    preset: Preset | None
    config: RunConfig
    runs: tuple[RunRecord, ...]
    unfinished: tuple[RunRecord, ...]
    groups: Mapping[tuple[Split, Decoding], RunGroup]

    def group(self, lens: Lens, split: Split) -> RunGroup | None:
        """What is scored with a lens on a split."""
        return self.groups.get((split, DECODING_OF[lens]))

    def scores(self, lens: Lens, split: Split) -> tuple[float, ...]:
        """A score for each seed, of which the folds count as one; empty where there are none."""
        group = self.group(lens, split)
        if group is None or not group.knows_terrain:
            return ()
        has_folds = pooling.has_folds(group.runs[0])
        by_seed: defaultdict[int, list[float]] = defaultdict(list)
        for place, (pool, score) in enumerate(zip(group.pools, group.scores(lens), strict=True)):
            by_seed[pool[0].seed if has_folds else place].append(score)
        return tuple(mean_and_sd(scores)[0] for scores in by_seed.values())

    def mean(self, lens: Lens, split: Split) -> float:
        """Mean of the scores; NaN where there are none."""
        return mean_and_sd(self.scores(lens, split))[0]

    def class_iou(self, lens: Lens, split: Split) -> tuple[float, ...]:
        """Five means over the seeds, NaN where a class does not count."""
        group = self.group(lens, split)
        return (math.nan,) * 5 if group is None else group.class_iou(lens)

    @property
    def parameters(self) -> int | None:
        """Of its network."""
        return next((run.parameters for run in self.runs if run.parameters is not None), None)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Training time of each run that knows it."""
        return tuple(run.train_seconds for run in self.runs if run.train_seconds is not None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row against another.

    Args:
        delta: difference of the means with its interval over images; None if it cannot be told.
        seeds: 95 % interval of the difference over seeds; None with a single seed on a side.
    """

    ours: ResultRow
    theirs: ResultRow
    lens: Lens
    split: Split
    delta: Delta | None
    seeds: tuple[float, float] | None

    @property
    def images(self) -> tuple[float, float] | None:
        """95 % interval of the difference over images, where one can be given."""
        if self.delta is None or self.delta.low is None or self.delta.high is None:
            return None
        return self.delta.low, self.delta.high

    @property
    def is_beyond_noise(self) -> bool | None:
        """Whether it takes more than other images and other seeds to explain it; None if nobody can say.

        The two are independent, so their variances add: the difference must be larger than the root of the
        squares of both reaches, from the difference towards 0 over images, half the interval over seeds.
        """
        if self.delta is None or self.images is None or self.seeds is None:
            return None
        difference = self.delta.value
        over_images = abs(difference - self.images[0 if difference > 0 else 1])
        over_seeds = (self.seeds[1] - self.seeds[0]) / 2
        return abs(difference) > math.hypot(over_images, over_seeds)


class RowReader:
    """Reads rows of one dataset, as the study's runs saw it, from the store."""

    def __init__(self, lab: Lab, example: RunRecord) -> None:
        self._lab = lab
        self._totals = {
            (split, decoding): lab.store.confusion_totals(split, decoding)
            for split in SPLITS
            for decoding in dict.fromkeys(DECODING_OF.values())
        }
        runs = lab.store.list_runs(
            statuses=[RunStatus.COMPLETED], dataset_id=example.dataset_id, archived=False
        )
        self._completed = [run for run in runs if run.dropped_rows == example.dropped_rows]
        self._example = example
        sha256 = lab.store.get_dataset(example.dataset_id).sha256
        self._identity = tiles_identity(sha256, example.dropped_rows)

    def row(self, key: str, planned: Sequence[RunRecord], preset: Preset | None) -> ResultRow:
        """A configuration by its fingerprint, with its repeats from all over the store.

        Args:
            planned: the study's runs of it; empty for a row from elsewhere.
        """
        runs = [run for run in self._completed if run.fingerprint == key]
        groups: dict[tuple[Split, Decoding], RunGroup] = {}
        for (split, decoding), totals in self._totals.items():
            scored = [run for run in runs if run.id in totals]
            for one in group_runs(scored, totals, split, self._lab.store.find_by_id):  # they share a key
                groups[split, decoding] = one
        counted = {run.id: run for group in groups.values() for run in group.runs}
        done = {(run.seed, run.config.data.fold) for run in counted.values()}
        example = (planned or runs)[0]
        return ResultRow(
            name=preset.title if preset else example.name,
            preset=preset,
            config=example.config,
            runs=tuple(run for run in reversed(runs) if run.id in counted),
            unfinished=tuple(run for run in planned if (run.seed, run.config.data.fold) not in done),
            groups=groups,
        )

    def rungs_elsewhere(self, rungs: Rungs) -> list[ResultRow]:
        """Rows of the ladder that the study lacks, but that were trained later in just the same way."""
        later = [preset for preset in LADDER if preset not in rungs.presets]
        shared = {**rungs.shared, "data.dataset": self._example.dataset_name}
        keys = {p.key: p.config.with_values(shared).fingerprint(self._identity) for p in later}
        known = {run.fingerprint for run in self._completed}
        return [self.row(keys[preset.key], (), preset) for preset in later if keys[preset.key] in known]

    def find(self, name: str, rows: Sequence[ResultRow], shared: Mapping[str, object]) -> ResultRow | None:
        """A row by preset, run or fingerprint; None for a preset that was not trained.

        Of a preset that was trained at several budgets, those with the study's epochs come first, then those
        with exactly its budget, then those with more repeats.

        Raises:
            NotFoundError: neither a preset nor a run goes by that name.
        """
        for row in rows:
            if name == row.name or (row.preset and row.preset.key == name):
                return row
        if name in PRESETS:
            return self._preset_row(PRESETS[name], shared)
        keys = {run.fingerprint for run in self._completed}
        if name not in keys:
            run = self._lab.store.find_run(name)
            if run is None or run.fingerprint not in keys:
                raise NotFoundError(
                    f"{name!r} is neither a preset nor a completed run on the study's dataset; "
                    "`python -m marsseg presets list` and `runs list` name what there is."
                )
            name = run.fingerprint
        known = (row for row in rows if any(run.fingerprint == name for run in row.runs))
        return next(known, None) or self.row(name, (), None)

    def _preset_row(self, preset: Preset, shared: Mapping[str, object]) -> ResultRow | None:
        found: dict[str, tuple[bool, bool, int]] = {}
        for run in self._completed:
            changed = changes(run.config, preset.config)
            if all(path in _BUDGET or shared.get(path) == value for path, value in changed.items()):
                same_budget = is_with(run.config, preset.config, shared)
                same_epochs = run.config.train.epochs == self._example.config.train.epochs
                repeats = found.get(run.fingerprint, (False, False, 0))[2] + 1
                found[run.fingerprint] = (same_epochs, same_budget, repeats)
        return self.row(max(found, key=found.__getitem__), (), preset) if found else None

    def compare(self, ours: ResultRow, theirs: ResultRow, lens: Lens, split: Split) -> Comparison:
        """A row against another on the images that both were judged on."""
        group, base = ours.group(lens, split), theirs.group(lens, split)
        delta = None
        if group is not None and base is not None and group.key != base.key:
            deltas = deltas_to(
                self._lab, base, [base, group], lens=lens, split=split, decoding=DECODING_OF[lens]
            )
            delta = deltas[group.key]
        seeds = welch_interval(ours.scores(lens, split), theirs.scores(lens, split))
        return Comparison(ours, theirs, lens, split, delta, seeds)
