"""Near-duplicate tiles: the same picture again, brighter, with more contrast, mirrored or saved anew.

A tile that is learned from and judged on under another number makes scores too good. Tiles are compared by
their correlation, which no change of brightness or contrast moves (Lewis 1995, normalised cross-correlation).
Rover tiles are alike at large: horizons alone reach 0.97. So it is the fine structure that decides: 2×2 block
means, freed of the plane that fits each 16×16 block and divided by its local contrast, so that no edge
outweighs the texture. Only pairs whose 8×8 block means are alike (`LOOK_ALIKE`) are compared so.

Measured on 2,611 real tiles (3.4 million pairs, each in four orientations), on which the threshold was chosen
too: five pairs reach 0.80 to 0.99, and all show one scene. The next ones, 0.71 and less, were looked at in
part: drawings pasted twice, parts of the rover, and one scene at another time of day (0.67), which is missed:
this finds copies, not every second photograph of a place. Of copies of the 2,505 kept tiles these are found:
brightness + 40, contrast × 0.5 and × 1.7, gamma 0.7: every one; noise of 2 gray levels 99.6 %, of 4 94 %;
JPEG of quality 75 99.9 %, of quality 30 89 %. What is missed has almost no contrast of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsseg.data.progress import Report, ignore_progress

LOOK_ALIKE = 0.85
"""Correlation of the 8×8 block means from which a pair is looked at closely."""
NEAR_DUPLICATE = 0.75
"""Correlation of the fine structure from which a pair counts as one picture."""
MAX_PAIRS = 20_000
"""Pairs that are remembered; a file with more is made of copies, which that many say as well."""
CACHE = "near_duplicates.json"
_RULE = 1
"""Grows with every change of what counts, so that older caches are made anew."""
_COARSE, _FINE, _PLANE = 8, 2, 16
_QUIET = 2.0
"""Gray levels: contrast of this size is noise, and is not raised to that of rocks."""
_FEATURELESS = 0.25
"""Gray levels of fine structure below which a tile resembles nothing."""
_BLOCK = 512
_AT_ONCE = 4096
_MIRRORS = {"": (1, 1), "left-right": (1, -1), "up-down": (-1, 1), "both ways": (-1, -1)}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two rows of a dataset that show one picture.

    Args:
        first, second: the rows, the lower one first.
        similarity: correlation of their fine structure, up to 1.
        mirrored: "" or how one of them is turned over: "left-right", "up-down" or "both ways".
    """

    first: int
    second: int
    similarity: float
    mirrored: str = ""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The near-duplicates of a dataset, most alike first.

    Args:
        complete: whether these are all; not if there are more than `MAX_PAIRS`.
    """

    pairs: tuple[DuplicatePair, ...]
    complete: bool = True


def find_duplicates(images: NDArray[np.uint8], report: Report = ignore_progress) -> Duplicates:
    """Compare every tile with every other one, as it is and mirrored.

    Memory grows with the number of tiles (5 kB each), time with its square: 2 s for 2,611
    tiles, under 2 min for 20,000.

    Args:
        images: (N, H, W) uint8; H and W are multiples of 16.
        report: told how far it has come.
    """
    coarse, fine = _describe(images, report)
    best: dict[tuple[int, int], DuplicatePair] = {}
    for pair in _alike(coarse, fine, report):
        key = pair.first, pair.second
        if key not in best or best[key].similarity < pair.similarity:
            best[key] = pair
        if len(best) > MAX_PAIRS:
            break
    pairs = sorted(best.values(), key=lambda pair: (-pair.similarity, pair.first, pair.second))
    return Duplicates(tuple(pairs[:MAX_PAIRS]), complete=len(pairs) <= MAX_PAIRS)


def known_duplicates(folder: Path, images: NDArray[np.uint8], report: Report = ignore_progress) -> Duplicates:
    """The near-duplicates of the dataset in `folder`, found once, then read from a file."""
    path = folder / CACHE
    if (known := _read(path)) is None:
        known = find_duplicates(images, report)
        with suppress(OSError):  # where nothing can be written, they are looked for again the next time
            write_duplicates(path, known)
    return known


def write_duplicates(path: Path, duplicates: Duplicates) -> None:
    """Write the cache file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    document = {"rule": _RULE, **asdict(duplicates)}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file)
        Path(name).chmod(0o644)  # mkstemp's 0600 would shut out a lab that runs as another user
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path) -> Duplicates | None:
    """What the cache says; None if there is none, or it is damaged or of another rule."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["rule"] != _RULE:
            return None
        return Duplicates(tuple(DuplicatePair(**pair) for pair in document["pairs"]), document["complete"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _describe(images: NDArray[np.uint8], report: Report) -> tuple[Floats, NDArray[np.float16]]:
    """(N, H/8, W/8) block means and (N, H/2, W/2) fine structure of each tile, both of length 1 or 0."""
    height, width = images.shape[1:]
    coarse = np.empty((len(images), height // _COARSE, width // _COARSE), np.float32)
    fine = np.empty((len(images), height // _FINE, width // _FINE), np.float16)  # half the memory, 3 digits
    for start in range(0, len(images), _BLOCK):
        report(0.3 * start / len(images), "Looking for near-duplicates")
        part = slice(start, start + _BLOCK)
        tiles = np.asarray(images[part], np.float32)
        means = _block_means(tiles, _COARSE)
        coarse[part] = _unit(means - means.mean(axis=(1, 2), keepdims=True))
        fine[part] = _unit(_fine_structure(tiles))
    return coarse, fine


def _fine_structure(tiles: Floats) -> Floats:
    """(N, H/2, W/2) 2×2 block means without local planes, in units of local contrast; 0 if featureless."""
    blocks = _cut(_block_means(tiles, _FINE), _PLANE // _FINE)
    across = np.arange(blocks.shape[-1], dtype=np.float32) - (blocks.shape[-1] - 1) / 2
    rest = blocks - blocks.mean(axis=(2, 4), keepdims=True)
    for ramp in (across[:, None, None], across):  # of a block's rows, then of its columns
        slope = (rest * ramp).mean(axis=(2, 4), keepdims=True) / (across**2).mean()
        rest = rest - slope * ramp
    power = (rest**2).mean(axis=(2, 4), keepdims=True)
    detail = np.sqrt(power.mean(axis=(1, 3), keepdims=True))
    scaled = np.where(detail < _FEATURELESS, 0, rest / np.sqrt(power + _QUIET**2))
    return np.asarray(scaled.reshape(len(tiles), blocks.shape[1] * blocks.shape[2], -1), np.float32)


def _cut(tiles: Floats, side: int) -> Floats:
    """(N, H, W) -> (N, H/side, side, W/side, side)."""
    n_tiles, height, width = tiles.shape
    return tiles.reshape(n_tiles, height // side, side, width // side, side)


def _block_means(tiles: Floats, side: int) -> Floats:
    return np.asarray(_cut(tiles, side).mean(axis=(2, 4)))


def _unit(values: Floats) -> Floats:
    """Each tile's values scaled to length 1; those of length 0 stay 0."""
    lengths = np.sqrt((values**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(values / np.where(lengths > 0, lengths, 1))


def _alike(coarse: Floats, fine: NDArray[np.float16], report: Report) -> Iterator[DuplicatePair]:
    """Pairs that are one picture; one that is so in several orientations comes several times."""
    starts = range(0, len(coarse), _BLOCK)
    works = list(itertools.combinations_with_replacement(starts, 2))
    for done, (start, other) in enumerate(works):
        report(0.3 + 0.7 * done / len(works), "Looking for near-duplicates")
        for mirrored, (down, right) in _MIRRORS.items():
            turned = coarse[other : other + _BLOCK, ::down, ::right]
            ours = coarse[start : start + _BLOCK]
            similar = ours.reshape(len(ours), -1) @ turned.reshape(len(turned), -1).T
            first, second = np.nonzero(similar >= LOOK_ALIKE)
            first, second = first + start, second + other
            wanted = first < second
            yield from _confirmed(fine, first[wanted], second[wanted], mirrored)


def _confirmed(
    fine: NDArray[np.float16], first: NDArray[Any], second: NDArray[Any], mirrored: str
) -> Iterator[DuplicatePair]:
    down, right = _MIRRORS[mirrored]
    for start in range(0, len(first), _AT_ONCE):
        ours, theirs = first[start : start + _AT_ONCE], second[start : start + _AT_ONCE]
        left, other = fine[ours].astype(np.float32), fine[theirs][:, ::down, ::right].astype(np.float32)
        similarity = np.einsum("nhw,nhw->n", left, other)
        for place in np.flatnonzero(similarity >= NEAR_DUPLICATE):
            value = round(min(1.0, float(similarity[place])), 4)
            yield DuplicatePair(int(ours[place]), int(theirs[place]), value, mirrored)
