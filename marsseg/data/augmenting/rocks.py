"""Big rocks cut from tiles, and pasted into others: the rarest class, seen more often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from marsseg.classes import BIG_ROCK
from marsseg.config import AugmentConfig
from marsseg.data.augmenting.draws import Tiles, chosen

FEWEST_PIXELS = 16
"""Smaller specks are slips of the pen rather than rocks."""
LARGEST_SHARE = 0.25
"""Share of a tile that one rock may cover; a larger one would leave little of the tile it is pasted into."""

_ROWS_AT_ONCE = 512
_TOUCHING = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RockBank:
    """Rocks as lists of their pixels, all in one row: those of rock r from `starts[r]` to `starts[r + 1]`.

    Args:
        rows: (R,) dataset row that each rock was cut from.
        starts: (R + 1,) where the pixels of each rock begin.
        heights, widths: (R,) size of the smallest box around each rock.
        down, across: (P,) place of each pixel within its box.
        gray: (P,) uint8 gray level of each pixel.
    """

    rows: Ints
    starts: Ints
    heights: Ints
    widths: Ints
    down: Ints
    across: Ints
    gray: NDArray[np.uint8]

    def __len__(self) -> int:
        """How many rocks there are."""
        return len(self.rows)


def cut_rocks(images: Tiles, masks: Tiles, rows: NDArray[np.integer]) -> RockBank:
    """Cut out every big rock of the given rows: pixels of class 4 that touch, by a side or a corner.

    Left out are specks of less than 16 pixels, and rocks that cover more than a quarter of their tile.

    Args:
        images, masks: (N, H, W) uint8, possibly memory-mapped.
        rows: the rows to cut from: those of the training split, or test tiles would leak into training.
    """
    rocks = list(_pixels(images, masks, rows))
    sizes = np.array([len(rock.gray) for rock in rocks], np.int64)
    return RockBank(
        rows=np.array([rock.row for rock in rocks], np.int64),
        starts=np.concatenate([[0], sizes.cumsum()]).astype(np.int64),
        heights=np.array([rock.down.max() + 1 for rock in rocks], np.int64),
        widths=np.array([rock.across.max() + 1 for rock in rocks], np.int64),
        down=np.concatenate([np.empty(0, np.int64), *(rock.down for rock in rocks)]),
        across=np.concatenate([np.empty(0, np.int64), *(rock.across for rock in rocks)]),
        gray=np.concatenate([np.empty(0, np.uint8), *(rock.gray for rock in rocks)]),
    )


def paste_rocks(
    images: Tiles,
    masks: Tiles,
    config: AugmentConfig,
    bank: RockBank,
    generator: np.random.Generator,
    *,
    mirror: bool,
) -> None:
    """Paste rocks into some tiles, in place: their gray levels into the image, class 4 into the mask.

    A tile gets 1 to `rock_paste_most` rocks, all numbers equally likely; each is any rock of the bank, lies
    anywhere inside, and is mirrored left-right half of the time if `mirror` allows it. An empty bank changes
    nothing.
    """
    _, height, width = images.shape
    changed = np.flatnonzero(chosen(generator, len(images), config.rock_paste))
    if not len(changed) or not len(bank):
        return
    tile = np.repeat(changed, generator.integers(1, config.rock_paste_most, len(changed), endpoint=True))
    rock = generator.integers(0, len(bank), len(tile))
    top = generator.integers(0, height - bank.heights[rock], endpoint=True)
    left = generator.integers(0, width - bank.widths[rock], endpoint=True)
    mirrored = (generator.random(len(tile)) < 0.5) & mirror
    sizes = np.diff(bank.starts)[rock]
    ends = sizes.cumsum()
    pixel = np.arange(ends[-1]) + np.repeat(bank.starts[rock] - (ends - sizes), sizes)
    # A mirrored rock counts its columns from the right end of its box.
    sign = np.where(mirrored, -1, 1)
    column = left + np.where(mirrored, bank.widths[rock] - 1, 0)
    corner = (tile * height + top) * width + column
    place = np.repeat(corner, sizes) + bank.down[pixel] * width + bank.across[pixel] * np.repeat(sign, sizes)
    np.put(images, place, bank.gray[pixel])
    np.put(masks, place, BIG_ROCK.index)


class _Rock(NamedTuple):
    """One rock: where it was cut from, its pixels' places within its box, and their gray levels."""

    row: int
    down: Ints
    across: Ints
    gray: NDArray[np.uint8]


def _pixels(images: Tiles, masks: Tiles, rows: NDArray[np.integer]) -> Iterator[_Rock]:
    most = LARGEST_SHARE * images[0].size
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[begin : begin + _ROWS_AT_ONCE]
        labels, _ = ndimage.label(np.asarray(masks[part]) == BIG_ROCK.index, _TOUCHING)
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            down, across = np.nonzero(labels[box][0] == number)
            if FEWEST_PIXELS <= len(down) <= most:
                row = int(part[box[0].start])
                yield _Rock(row, down, across, images[row][box[1:]][down, across])
