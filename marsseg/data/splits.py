"""Divide a dataset's rows into training, validation and test tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marsseg.config import DataConfig
from marsseg.data.arrays import DatasetArrays
from marsseg.data.cleaning import kept_rows
from marsseg.errors import DatasetError
from marsseg.wording import counted

Rows = NDArray[np.int64]
_TEST_STREAM, _REST_STREAM = 0, 1


@dataclass(frozen=True, slots=True)
class Split:
    """Dataset rows of the three parts, each ascending int64; no row is in two of them."""

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True, slots=True)
class _Units:
    """What moves as a whole: a source frame with all its tiles, or a single tile.

    Args:
        rows: the rows of each unit.
        sizes: (U,) number of tiles.
        rocks: (U,) number of tiles with big rock.
    """

    rows: list[Rows]
    sizes: Rows
    rocks: Rows

    def pick(self, chosen: list[int]) -> Rows:
        """All rows of the chosen units, ascending."""
        return np.sort(np.concatenate([self.rows[u] for u in chosen]))


def split_dataset(arrays: DatasetArrays, dropped_rows: Sequence[int], config: DataConfig) -> Split:
    """Divide the rows of a dataset that cleaning kept, see `make_split`.

    Raises:
        DatasetError: there are too few tiles or frames to give every part at least one.
    """
    rows = kept_rows(len(arrays.counts), dropped_rows)
    return make_split(arrays.has_rock, rows, arrays.groups, config)


def make_split(
    masks_have_rock: NDArray[np.bool_], rows: Rows, groups: Rows | None, config: DataConfig
) -> Split:
    """Divide rows so that every part has its share of tiles with big rock and no source frame is torn.

    The test part is the same for every fold and every validation share: it depends on the seed, on
    `test_fraction` and, where tiles with big rock are so few that each fold must be left one, on `folds`.
    With `folds` of 2 or more the remaining rows are divided into that many folds, of which number `fold`
    validates; without, `validation_fraction` of all rows does.

    Args:
        masks_have_rock: (N,) bool for all rows of the dataset.
        rows: (K,) the rows to divide; dropped outliers are not among them.
        groups: (N,) int, the source frame of each row; None where the dataset does not know.
        config: fractions, seed, folds and fold.

    Raises:
        DatasetError: there are too few tiles or frames to give every part at least one.
    """
    units = _make_units(np.asarray(masks_have_rock, bool), np.unique(rows).astype(np.int64), groups)
    parts = 1 + max(config.folds, 2)
    if len(units.rows) < parts:
        raise _too_few(units, parts, grouped=groups is not None)
    total = int(units.sizes.sum())
    everything = list(range(len(units.rows)))
    test = _draw(units, everything, total * config.test_fraction, _shuffler(config, _TEST_STREAM), parts - 1)
    rest = sorted(set(everything) - set(test))
    shuffler = _shuffler(config, _REST_STREAM)
    if config.folds:
        validation = _deal(units, rest, config.folds, shuffler)[config.fold]
    else:
        validation = _draw(units, rest, total * config.validation_fraction, shuffler, 1)
    train = sorted(set(rest) - set(validation))
    return Split(units.pick(train), units.pick(validation), units.pick(test))


def _shuffler(config: DataConfig, stream: int) -> np.random.Generator:
    return np.random.default_rng([config.split_seed, stream])


def _make_units(has_rock: NDArray[np.bool_], rows: Rows, groups: Rows | None) -> _Units:
    keys = rows if groups is None else np.asarray(groups)[rows]
    _, unit_of_row, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    by_unit = np.argsort(unit_of_row, kind="stable")
    members = np.split(rows[by_unit], np.cumsum(sizes)[:-1]) if len(rows) else []
    rocks = np.bincount(unit_of_row, weights=has_rock[rows], minlength=len(members)).astype(np.int64)
    return _Units(members, sizes.astype(np.int64), rocks)


def _draw(
    units: _Units, candidates: list[int], tiles: float, shuffler: np.random.Generator, leave: int
) -> list[int]:
    """Draw units that together hold about `tiles` tiles, and the same share of the rock tiles.

    At least one unit is drawn and at least `leave` stay; the same holds for units with rock where there are
    enough of them, so that no part is blind to the rare class.
    """
    order = shuffler.permutation(candidates).tolist()
    rocky = [u for u in order if units.rocks[u]]
    plain = [u for u in order if not units.rocks[u]]
    share = tiles / max(1, int(units.sizes[candidates].sum()))
    drawn = _nearest_prefix(units.rocks, rocky, share * float(units.rocks[candidates].sum()))
    if not drawn and len(rocky) > leave:
        drawn = rocky[:1]
    drawn = drawn[: max(0, len(rocky) - leave)]
    missing = tiles - float(units.sizes[drawn].sum())
    drawn += _nearest_prefix(units.sizes, plain, missing)
    unused = [u for u in plain + rocky if u not in set(drawn)]
    return (drawn or unused[:1])[: len(candidates) - leave]


def _nearest_prefix(weights: Rows, order: list[int], target: float) -> list[int]:
    """Return the leading units whose weights add up closest to `target`; the shorter prefix on a tie."""
    sums = np.concatenate([[0], np.cumsum(weights[order])])
    return order[: int(np.argmin(np.abs(sums - target)))]


def _deal(units: _Units, candidates: list[int], folds: int, shuffler: np.random.Generator) -> list[list[int]]:
    """Deal units to folds, rock first and large first, each to the fold that has least."""
    order = shuffler.permutation(candidates).tolist()
    order.sort(key=lambda u: (-int(units.rocks[u]), -int(units.sizes[u])))
    dealt: list[list[int]] = [[] for _ in range(folds)]
    tiles, rocks = [0] * folds, [0] * folds
    for unit in order:
        fold = min(range(folds), key=lambda f: (rocks[f] if units.rocks[unit] else 0, tiles[f], f))
        dealt[fold].append(unit)
        tiles[fold] += int(units.sizes[unit])
        rocks[fold] += int(units.rocks[unit])
    return dealt


def _too_few(units: _Units, parts: int, *, grouped: bool) -> DatasetError:
    tiles = counted(int(units.sizes.sum()), "tile")
    have = f"{tiles} from {counted(len(units.rows), 'source image')}" if grouped else tiles
    needed = "source images, which are kept whole," if grouped else "tiles"
    return DatasetError(
        f"{have} cannot be divided into training, validation and test; at least {parts} {needed} are "
        "needed. Add more data, keep an outlier group, or lower the number of folds."
    )


def steps_per_epoch(tiles: int, batch_size: int) -> int:
    """How many full batches the tiles make; one smaller batch if they make none."""
    return max(1, tiles // batch_size)
