"""Which runs make one score: each by itself or, on the validation split, the folds of one seed together.

Every tile outside the test part validates exactly one fold. The confusion matrices of all folds summed are
thus those of one judgement of all these tiles, each by a network that did not learn from it: the pooled
out-of-fold score (Forman and Scholz 2010). A class that one fold barely holds does not make it swing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marsseg.metrics import Split
from marsseg.statistics import Judged
from marsseg.store.records import RunRecord

Pool = tuple[RunRecord, ...]


@dataclass(frozen=True, slots=True)
class Pooled:
    """What the runs of a pool made of their images, as one: rows (N,) and confusions (N, 5, 5)."""

    rows: NDArray[np.int64]
    confusions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FoldState:
    """How far the folds of a configuration have come.

    Args:
        planned: number of folds.
        done: folds behind each score that is pooled, or, where none is, runs behind the mean.
        pooled: whether folds are judged as one.
        seeds: seeds that count.
        all_seeds: seeds that there are; of fewer folds than `done`, a seed does not count yet.
    """

    planned: int
    done: int
    pooled: bool
    seeds: int = 1
    all_seeds: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether every fold of every seed has its say."""
        wanted = self.planned if self.pooled else self.planned * self.all_seeds
        return self.done >= wanted and self.seeds == self.all_seeds

    @property
    def words(self) -> str:
        """What the score of a row is made of, such as "5 folds pooled"."""
        return self._pooled_words() if self.pooled else self._mean_words()

    def _pooled_words(self) -> str:
        folds = f"{self.done} of {self.planned}" if self.done < self.planned else f"{self.planned}"
        words = f"{folds} folds{' pooled' if self.done > 1 else ''}"
        if self.seeds < self.all_seeds:
            words += f", {self.seeds} of {self.all_seeds} seeds"
        return f"{words}; mean ± sd over {self.seeds} seeds" if self.seeds > 1 else words

    def _mean_words(self) -> str:
        wanted = self.planned * self.all_seeds
        folds = f"{self.planned} folds" + (f" × {self.all_seeds} seeds" if self.all_seeds > 1 else "")
        if self.done == 1:
            return f"1 of {folds}"
        if self.done == wanted:
            return f"mean ± sd over {folds}"
        if self.all_seeds == 1 and self.done < wanted:
            return f"mean ± sd over {self.done} of {folds}"
        return f"mean ± sd over {self.done} runs, of {folds}"


def pools_of(runs: Sequence[RunRecord], split: Split) -> tuple[Pool, ...]:
    """Runs that are judged together; of pooled folds those with the most folds done count.

    Runs of one seed and one fold are copies that nothing made alike: each goes to a pool of its own.

    Args:
        runs: the runs of one configuration.
    """
    if split != "validation" or not has_folds(runs[0]):
        return tuple((run,) for run in runs)
    pools: defaultdict[tuple[int, int], list[RunRecord]] = defaultdict(list)
    seen: defaultdict[tuple[int, int], int] = defaultdict(int)
    for run in runs:
        place = run.seed, run.config.data.fold
        pools[run.seed, seen[place]].append(run)
        seen[place] += 1
    most = max(map(len, pools.values()))
    return tuple(tuple(pool) for pool in pools.values() if len(pool) == most)


def fold_state(runs: Sequence[RunRecord], pools: Sequence[Pool], split: Split) -> FoldState | None:
    """How far the folds of one configuration have come; None where it has none."""
    if not has_folds(runs[0]):
        return None
    planned = runs[0].config.data.folds
    seeds = len({run.seed for run in runs})
    if split == "validation":
        return FoldState(
            planned, len(pools[0]), pooled=True, seeds=len(pools), all_seeds=max(seeds, len(pools))
        )
    return FoldState(planned, len(runs), pooled=False, seeds=seeds, all_seeds=seeds)


def has_folds(run: RunRecord) -> bool:
    """A combination of folds is one network, tested as a whole."""
    return bool(run.config.data.folds) and not run.config.combine.is_on


def pooled(judged: Sequence[Judged]) -> Judged:
    """The images of all runs of a pool as one judgement."""
    if len(judged) == 1:
        return judged[0]
    return Pooled(
        np.concatenate([each.rows for each in judged]), np.concatenate([each.confusions for each in judged])
    )
