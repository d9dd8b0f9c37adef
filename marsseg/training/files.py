"""Files that are either whole or not there: written under a temporary name, synced, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from marsseg.errors import MarsSegError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_IN_WORDS = re.compile(
    r"no space left|disk (is )?full|disk quota exceeded|\d+ requested and \d+ written", re.IGNORECASE
)


class DiskFullError(MarsSegError):
    """A file did not fit on its disk: what was needed, what is free, what to do."""

    exit_status = 1

    def __init__(self, path: Path, needed: int) -> None:
        super().__init__(
            f"disk full while saving {path.name}: {_size(needed)} were needed, "
            f"{free_space(path.parent)}. Make room, then resume the run."
        )


def write_whole(path: Path, write: Callable[[BinaryIO], object], size: int) -> None:
    """Let `write` fill a file that appears under `path` only when it is complete and on disk.

    Args:
        size: bytes that it will have at least, for the sentence when they do not fit.

    Raises:
        DiskFullError: it does not fit; as with all errors, an earlier file under `path` is untouched.
        OSError: the folder is not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with saying_what_was_needed(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def move_whole(temporary: Path, path: Path) -> None:
    """Sync a file that another library wrote under a temporary name, and rename it to `path`."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array as `.npy`, whole or not at all."""
    write_whole(path, lambda file: np.save(file, array, allow_pickle=False), array.nbytes)


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays as `.npz`, whole or not at all; uncompressed, as weights hardly shrink."""
    size = sum(array.nbytes for array in arrays.values())
    write_whole(path, lambda file: np.savez(file, **arrays), size)


@contextlib.contextmanager
def saying_what_was_needed(path: Path, size: int) -> Iterator[None]:
    """Turn a full disk, in whatever words a library tells of it, into a `DiskFullError` about `path`."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise DiskFullError(path, size) from error
        raise


def remove_results(folder: Path) -> None:
    """Remove exported network and predicted masks from a run's folder: its weights are others now."""
    for path in (folder / "model.onnx", *(folder / "predictions").glob("*.npy")):
        path.unlink(missing_ok=True)


def list_unfinished(folder: Path) -> list[Path]:
    """Files and folders under temporary names, which whoever was killed while writing left in a run's folder.

    List them before the store is asked whose the run is, and remove them after that: then none of them can
    belong to a launch that came later.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError):  # a disk that does not answer is for those to tell who need it
        found += (path for pattern in (".*.tmp", ".tmp.*") for path in folder.rglob(pattern))
    return found


def remove_unfinished(paths: Iterable[Path]) -> None:
    """Remove what `list_unfinished` found; what cannot be removed takes up space and does no harm."""
    for path in paths:
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def reserve(path: Path, size: int) -> None:
    """Find out whether `size` bytes fit beside `path`, for libraries that do not survive a full disk.

    Raises:
        OSError: they do not fit.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.room.tmp")
    try:
        with temporary.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    finally:
        temporary.unlink(missing_ok=True)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what led to it, says that a disk or quota is full; some say it in words alone."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL or _FULL_IN_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def free_space(folder: Path) -> str:
    """How much room there is in a folder, as part of a sentence; the folder need not exist."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return f"{_size(shutil.disk_usage(place).free)} are free in {folder}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
