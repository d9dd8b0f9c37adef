"""The leak guard: tiles that show one picture, or one source image, in different parts of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from marsseg.config import DataConfig, RunConfig
from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.data.duplicates import DuplicatePair, known_duplicates
from marsseg.data.splits import Split, split_dataset
from marsseg.services.datasets import silent
from marsseg.services.lab import Lab
from marsseg.services.splits import SPLIT_FIELDS

PARTS = ("training", "validation", "test")
_OTHER_SEEDS = 50
_PAIRS_FOR_OTHER_SEEDS = 20
"""With more pairs than this, no split by chance keeps them all together."""


@dataclass(frozen=True, slots=True)
class LeakPair:
    """Two near-duplicate tiles in different parts.

    Args:
        rows: their dataset rows.
        parts: "training", "validation" or "test", one for each row; of several folds, in the first that
            divides them.
        similarity: correlation of their fine structure, up to 1.
        mirrored: "" or how one is turned over: "left-right", "up-down" or "both ways".
    """

    rows: tuple[int, int]
    parts: tuple[str, str]
    similarity: float
    mirrored: str = ""


@dataclass(frozen=True, slots=True)
class TornGroup:
    """A source image with tiles in more than one part: its number, and its tiles by part."""

    group: int
    tiles: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What would make the scores of a run look better than they are.

    Args:
        pairs: near-duplicates in different parts, most alike first.
        groups: source images with tiles in different parts.
        together: how many more near-duplicate pairs lie within one part, where they do no harm.
        knows_sources: whether the dataset says which tiles come from one source image.
        better_seed: a split seed that keeps all pairs together; None if none is known or needed.
        complete: whether all near-duplicates are known; not in a file with a great many.
        folds: how many folds were looked at, of which any may divide what is told here; 1 for a single split.
    """

    pairs: tuple[LeakPair, ...]
    groups: tuple[TornGroup, ...]
    together: int
    knows_sources: bool
    better_seed: int | None = None
    complete: bool = True
    folds: int = 1

    @property
    def warning(self) -> str:
        """What leaks and what to do about it, in a few words; empty if nothing does."""
        found = [*self._pairs_found(), *self._groups_found()]
        if not found:
            return ""
        return f"{' and '.join(found)}, so scores may look better than they are. {self._remedy()}".strip()

    def _remedy(self) -> str:
        removal = "remove one tile of each pair from the source and import it again"
        if self.better_seed is not None:
            return f"Split seed {self.better_seed} keeps every pair together; or {removal}."
        if not self.pairs:
            return "Import the folder again."
        whole = (
            "" if self.knows_sources else ", or import an AI4Mars folder, whose source images stay together"
        )
        return f"To mend it, {removal}{whole}."

    def _pairs_found(self) -> list[str]:
        if not self.pairs:
            return []
        crossings = Counter(" and ".join(sorted(pair.parts, key=PARTS.index)) for pair in self.pairs)
        where = ", ".join(f"{count} in {parts}" for parts, count in crossings.most_common())
        few = "" if self.complete else "At least "
        nouns = (
            "pair of near-duplicate tiles is" if len(self.pairs) == 1 else "pairs of near-duplicate tiles are"
        )
        return [f"{few}{len(self.pairs):,} {nouns} divided between parts{self._any_fold()} ({where})"]

    def _groups_found(self) -> list[str]:
        if not self.groups:
            return []
        nouns = "source image has" if len(self.groups) == 1 else "source images have"
        return [f"{len(self.groups):,} {nouns} tiles in several parts{self._any_fold()}"]

    def _any_fold(self) -> str:
        return f" in at least one of {self.folds} folds" if self.folds > 1 else ""


def find_leaks(
    lab: Lab, *configs: RunConfig | DataConfig, progress: Callable[[float, str], None] = silent
) -> LeakReport:
    """Near-duplicate tiles and source images that the split of a configuration divides.

    The near-duplicates of a dataset are found at its import, or, for older imports, at first need.

    Args:
        configs: one or more on the same dataset, such as all runs of a study. Each fold trains on what
            another one validates with, so what a single fold divides is told.

    Raises:
        NotFoundError: no such dataset.
        DatasetError: the dataset cannot be read or split.
    """
    splits = _distinct_splits(configs)
    record = lab.store.get_dataset(splits[0].dataset)
    folder = lab.settings.datasets_dir / record.sha256
    known_duplicates(folder, open_arrays(folder).images, progress)  # where it takes long, someone watches
    return _in_any_of([_crossing(folder, record.dropped_rows, data) for data in splits])


def torn_groups(groups: np.ndarray[Any, Any], split: Split) -> tuple[TornGroup, ...]:
    """Source images with tiles in more than one part.

    Args:
        groups: (N,) the source image of each row of the dataset.
    """
    part_of = _part_of(len(groups), split)
    kept = part_of >= 0
    numbers, place = np.unique(groups[kept], return_inverse=True)
    cells = np.bincount(place * len(PARTS) + part_of[kept], minlength=len(numbers) * len(PARTS))
    tiles = cells.reshape(-1, len(PARTS))
    return tuple(
        TornGroup(int(numbers[at]), tuple((PARTS[i], int(tiles[at, i])) for i in np.flatnonzero(tiles[at])))
        for at in np.flatnonzero((tiles > 0).sum(axis=1) > 1)
    )


def _distinct_splits(configs: Iterable[RunConfig | DataConfig]) -> list[DataConfig]:
    """The first configuration of each way to divide the tiles."""
    found: dict[tuple[Any, ...], DataConfig] = {}
    for config in configs:
        data = config.data if isinstance(config, RunConfig) else config
        found.setdefault(tuple(getattr(data, field) for field in SPLIT_FIELDS), data)
    return list(found.values())


def _in_any_of(reports: Sequence[LeakReport]) -> LeakReport:
    """What any of several folds of one dataset divides, each pair and each source image once."""
    if len(reports) == 1:
        return reports[0]
    pairs = {pair.rows: pair for report in reversed(reports) for pair in report.pairs}
    groups = {torn.group: torn for report in reversed(reports) for torn in report.groups}
    known = len(reports[0].pairs) + reports[0].together
    return replace(
        reports[0],
        pairs=tuple(sorted(pairs.values(), key=lambda pair: -pair.similarity)),
        groups=tuple(groups[number] for number in sorted(groups)),
        together=known - len(pairs),
        better_seed=None,
        folds=len(reports),
    )


@lru_cache(maxsize=64)
def _crossing(folder: Path, dropped: tuple[int, ...], config: DataConfig) -> LeakReport:
    """Cross the known near-duplicates with one split; cached, since a page asks again at every rerun."""
    arrays = open_arrays(folder)
    known = known_duplicates(folder, arrays.images)
    split = split_dataset(arrays, dropped, config)
    part_of = _part_of(len(arrays.images), split)
    kept = [pair for pair in known.pairs if part_of[pair.first] >= 0 and part_of[pair.second] >= 0]
    divided = [pair for pair in kept if part_of[pair.first] != part_of[pair.second]]
    return LeakReport(
        pairs=tuple(_leak(pair, part_of) for pair in divided),
        groups=() if arrays.groups is None else torn_groups(arrays.groups, split),
        together=len(kept) - len(divided),
        knows_sources=arrays.groups is not None,
        better_seed=_better_seed(arrays, dropped, config, kept) if divided else None,
        complete=known.complete,
    )


def _leak(pair: DuplicatePair, part_of: np.ndarray[Any, Any]) -> LeakPair:
    parts = PARTS[part_of[pair.first]], PARTS[part_of[pair.second]]
    return LeakPair((pair.first, pair.second), parts, pair.similarity, pair.mirrored)


def _part_of(pairs: int, split: Split) -> np.ndarray[Any, Any]:
    """(N,) number in `PARTS` of each row's part; -1 for rows that cleaning left out."""
    part_of = np.full(pairs, -1)
    for number, rows in enumerate((split.train, split.validation, split.test)):
        part_of[rows] = number
    return part_of


def _better_seed(
    arrays: DatasetArrays, dropped: tuple[int, ...], config: DataConfig, kept: Sequence[DuplicatePair]
) -> int | None:
    """The lowest of a few split seeds that divides no pair; not for folds, which would all have to agree."""
    if config.folds or len(kept) > _PAIRS_FOR_OTHER_SEEDS:
        return None
    first, second = (np.array([getattr(pair, end) for pair in kept]) for end in ("first", "second"))
    for seed in range(_OTHER_SEEDS):
        split = split_dataset(arrays, dropped, config.model_copy(update={"split_seed": seed}))
        part_of = _part_of(len(arrays.images), split)
        if (part_of[first] == part_of[second]).all():
            return seed
    return None
