"""Read a file in the course format: an npz with `training_set` and, optionally, `test_set`.

The arrays are streamed out of the archive, because `training_set` is often float64 and many times larger
than the tiles it holds.
"""

from __future__ import annotations

import hashlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import TILE_HEIGHT, TILE_WIDTH
from marsseg.data.npy import NpyHeader, read_header, read_rows
from marsseg.data.progress import Report
from marsseg.data.tiles import TileBatch, to_images, to_masks
from marsseg.errors import DatasetError
from marsseg.settings import Limits

TILE = (TILE_HEIGHT, TILE_WIDTH)
_TRAINING, _TEST = "training_set", "test_set"
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError, OverflowError)
_BLOCK = 1024**2


@dataclass(frozen=True, slots=True)
class CourseFile:
    """A course npz whose archive, keys, shapes and dtypes have been checked; values are checked on reading.

    Args:
        path: the npz file.
        training: header of `training_set`, (N, 2, 64, 128).
        test: header of `test_set`, (M, 64, 128); None where the file has none.
        frame_size: side of the frames that the tiles were cut from, if the person said so.
    """

    path: Path
    training: NpyHeader
    test: NpyHeader | None
    frame_size: int | None

    @classmethod
    def open(cls, path: Path, limits: Limits, frame_size: int | None) -> CourseFile:
        """Check the archive's directory and the headers of its arrays.

        Raises:
            DatasetError: the file is no npz in the course format, is damaged, or would unpack too large.
        """
        with _archive(path) as archive:
            _refuse_bomb(path, archive, limits)
            training = _header(path, archive, _TRAINING)
            if training is None:
                names = ", ".join(sorted(i.filename.removesuffix(".npy") for i in archive.infolist())[:6])
                raise DatasetError(
                    f'{path.name} has no array "{_TRAINING}" (it holds: {names or "nothing"}); save it with '
                    f"np.savez(..., {_TRAINING}=array)."
                )
            test = _header(path, archive, _TEST)
        _check_array(path, _TRAINING, training, ("N", 2, *TILE))
        if training.shape[0] == 0:
            raise DatasetError(f"{_TRAINING} in {path.name} holds no tiles; a dataset needs labelled tiles.")
        if test is not None:
            _check_array(path, _TEST, test, ("M", *TILE))
        return cls(path, training, test, frame_size)

    @property
    def format(self) -> str:
        """The name of the format, as `meta.json` keeps it."""
        return "course npz"

    @property
    def pairs(self) -> int:
        """Number of image/mask pairs."""
        return self.training.shape[0]

    @property
    def test_images(self) -> int:
        """Number of unlabelled tiles."""
        return self.test.shape[0] if self.test else 0

    @property
    def group_names(self) -> None:
        """A course file does not say which frame a tile was cut from."""
        return None

    def checksum(self, report: Report) -> str:
        """Sixty-four hex digits: the sha256 of the file."""
        digest, done, size = hashlib.sha256(), 0, max(1, self.path.stat().st_size)
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                done += len(block)
                report(done / size, "Computing the checksum")
        return digest.hexdigest()

    def read_pairs(self, report: Report) -> Iterator[TileBatch]:
        """All pairs in order; values are checked and converted to uint8 on the way.

        Raises:
            DatasetError: a value is not what a tile may hold, or the file is damaged.
        """
        brightest = 0.0
        for start, rows in self._rows(_TRAINING, self.training):
            images = to_images(rows[:, 0], start, _TRAINING)
            brightest = max(brightest, float(rows[:, 0].max()))
            yield TileBatch(images, to_masks(rows[:, 1], start, _TRAINING), None)
            report((start + len(rows)) / self.pairs, "Reading labelled tiles")
        _refuse_unit_scale(_TRAINING, self.training, brightest)

    def read_test_images(self, report: Report) -> Iterator[NDArray[np.uint8]]:
        """All unlabelled tiles in order, checked and converted to uint8.

        Raises:
            DatasetError: a value is no gray value, or the file is damaged.
        """
        if self.test is None:
            return
        brightest = 0.0
        for start, rows in self._rows(_TEST, self.test):
            yield to_images(rows, start, _TEST)
            brightest = max(brightest, float(rows.max()))
            report((start + len(rows)) / self.test_images, "Reading unlabelled tiles")
        _refuse_unit_scale(_TEST, self.test, brightest)

    def _rows(self, name: str, header: NpyHeader) -> Iterator[tuple[int, NDArray[Any]]]:
        with _archive(self.path) as archive, archive.open(f"{name}.npy") as member:
            if read_header(member) != header:
                raise DatasetError(f"{self.path.name} changed while it was read; import it again.")
            start = 0
            for rows in read_rows(member, header):
                yield start, rows
                start += len(rows)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive and turn every way in which it may be damaged into one sentence."""
    try:
        if path.stat().st_size == 0:
            raise DatasetError(f"{path.name} is empty (0 bytes); copy or download it again.")
        if not zipfile.is_zipfile(path):
            raise _not_an_archive(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    except PermissionError as error:
        raise DatasetError(f"{path} cannot be read (permission denied); change its permissions.") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression method
        raise DatasetError(f"{path.name} cannot be unpacked ({error}); save it with np.savez.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}); check the file.") from error
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error


def _not_an_archive(path: Path) -> DatasetError:
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PK"):
        return _damaged(path, "its end is missing")
    if start == b"\x93NUMPY":
        return DatasetError(
            f"{path.name} is a single npy array; save it with np.savez(..., {_TRAINING}=array) instead."
        )
    return DatasetError(
        f"{path.name} is not an npz archive; give a file in the course format or an AI4Mars folder."
    )


def _damaged(path: Path, how: str) -> DatasetError:
    how = how if len(how) <= 120 else f"{how[:119]}…"
    return DatasetError(f"{path.name} is truncated or damaged ({how}); copy or download it again.")


def _refuse_bomb(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    """Hold the declared sizes against the limit; zipfile never unpacks more of a member than declared."""
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > limits.unpacked_bytes:
        raise DatasetError(
            f"{path.name} would unpack to {_gib(unpacked)}, more than the {_gib(limits.unpacked_bytes)} "
            "allowed here; split it, or store the arrays as uint8."
        )


def _gib(size: int) -> str:
    return f"{size / 1024**3:.3g} GiB"


def _header(path: Path, archive: zipfile.ZipFile, name: str) -> NpyHeader | None:
    """Read an array's header and hold it against the archive's directory; None if there is no such array."""
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        return None
    with archive.open(info) as member:
        header = read_header(member)
    if header.dtype.hasobject:
        raise DatasetError(
            f"{name} in {path.name} holds Python objects, which can run code when loaded and are never "
            "read; save it as a plain array of numbers."
        )
    if header.shape and header.total_bytes != info.file_size:
        raise _damaged(path, f"{name} should take {header.total_bytes} bytes but has {info.file_size}")
    return header


def _check_array(path: Path, name: str, header: NpyHeader, expected: tuple[int | str, ...]) -> None:
    fits = len(header.shape) == len(expected) and header.shape[1:] == expected[1:]
    if not fits:
        wanted = ", ".join(map(str, expected))
        raise DatasetError(
            f"{name} in {path.name} must have shape ({wanted}); it has {header.shape}. Cut the images into "
            f"{TILE_HEIGHT}×{TILE_WIDTH} tiles, or import their AI4Mars folder."
        )
    if header.dtype.kind not in "fiu":
        raise DatasetError(
            f"{name} in {path.name} must hold numbers (uint8 or float); its dtype is {header.dtype}. "
            f"Convert it with {name}.astype(np.uint8)."
        )
    if header.fortran_order:
        raise DatasetError(
            f"{name} in {path.name} is stored in Fortran order, which cannot be read tile by tile; save "
            f"np.ascontiguousarray({name}) instead."
        )


def _refuse_unit_scale(name: str, header: NpyHeader, brightest: float) -> None:
    """Refuse images on a 0-1 scale: as 0-255 they would all be black, and guessing could hide a mistake."""
    if header.dtype.kind == "f" and 0 < brightest <= 1:
        raise DatasetError(
            f"Image values must be 0–255; all of {name} lie within 0–1. Multiply the images (not the "
            "masks) by 255 and save the file again."
        )
