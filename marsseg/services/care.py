"""Use cases that look after the store and its files without opening the lab, which would change them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marsseg.data.arrays import open_arrays
from marsseg.errors import DatasetError
from marsseg.services.files import is_whole_archive, is_whole_array, is_whole_network
from marsseg.services.handling import file_sizes
from marsseg.settings import Settings
from marsseg.store import care
from marsseg.store.care import StoreHealth, Upgrade
from marsseg.store.inventory import Inventory, KnownRun

_RUN_ID = re.compile(r"r-[0-9a-z]{8}")
_TEMPORARY_COPY = re.compile(r"\..+\.\d+\.tmp")
_TEMPORARY = re.compile(r"\..+\.tmp|\.tmp\..+")
"""What workers call what is not whole yet. A home may hold more than ours: there only copies count."""
_OLD_SECONDS = 24 * 3600
"""Whoever writes a file under a temporary name takes minutes; after a day nobody does any more."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A file or folder in the lab's home that nobody will use again."""

    path: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class LabHealth:
    """What a look at the database and the files found.

    Args:
        missing: a sentence for each file that the database speaks of and the disk lacks.
        strays: what takes up space for nobody and was not touched for a day; no problem, see `remove_strays`.
    """

    store: StoreHealth
    missing: tuple[str, ...]
    strays: tuple[Stray, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is not as it should be, a sentence each."""
        return self.store.problems + self.missing


def check_lab(settings: Settings) -> LabHealth:
    """Compare the database with itself and with the files beside it; nothing is changed.

    Raises:
        StoreError: there is no database, or it cannot be opened by this version of the lab.
    """
    health = care.check(settings.database_url)
    folders = _run_folders(settings)  # before the rows: a run that is queued meanwhile is no stray
    if health.problems or health.revision is None:  # what is damaged or empty is no witness against files
        return LabHealth(health, (), ())
    known = care.inventory(settings.database_url)
    return LabHealth(health, tuple(_missing(settings, known)), tuple(_strays(settings, known, folders)))


def remove_strays(settings: Settings) -> tuple[Stray, ...]:
    """Delete what `check_lab` calls strays; returns what is gone.

    Raises:
        StoreError: there is no database, or it is damaged and so cannot tell which files are known.
    """
    strays = check_lab(settings).strays
    for stray in strays:
        if stray.path.is_dir():
            shutil.rmtree(stray.path, ignore_errors=True)
        else:
            stray.path.unlink(missing_ok=True)
    return tuple(stray for stray in strays if not stray.path.exists())


def back_up_store(settings: Settings, file: Path) -> int:
    """Copy the database to a new file while the lab goes on; returns the bytes of the copy.

    Raises:
        StoreError: there is no database, the file exists, or it cannot be written.
    """
    care.back_up(settings.database_url, file)
    return file.stat().st_size


def vacuum_store(settings: Settings) -> tuple[int | None, int | None]:
    """Give the space of deleted rows back to the disk; returns bytes before and after, None for a server.

    Raises:
        StoreError: there is no database, or it cannot be written.
    """
    return care.vacuum(settings.database_url)


def migrate_store(settings: Settings) -> Upgrade:
    """Bring the database up to date, with a copy from before beside it.

    Raises:
        StoreError: there is no database, it is from a newer version, or cannot be copied first.
    """
    return care.migrate(settings.database_url)


def _missing(settings: Settings, known: Inventory) -> Iterator[str]:
    for run in known.runs:
        yield from () if run.is_active else _missing_of(run, settings.run_dir(run.id))
    for sha256, name in known.datasets.items():
        try:
            open_arrays(settings.datasets_dir / sha256)
        except DatasetError as error:
            yield f"Dataset “{name}”: {error}"


def _missing_of(run: KnownRun, folder: Path) -> Iterator[str]:
    called = f"Run {run.id} (“{run.name}”)"
    for name in run.checkpoints:
        if not is_whole_archive(folder / "checkpoints" / name):
            yield (
                f"{called} has lost its checkpoint {name}, or it is damaged: resumed or extended, the run "
                "goes on from what is left."
            )
    if run.is_completed and run.evaluated and not is_whole_network(folder / "model.onnx"):
        yield f"{called} has lost its network model.onnx, or it is damaged: it cannot segment images."
    for split, decoding in run.evaluated:
        if not is_whole_array(folder / "predictions" / f"{split}_{decoding}.npy"):
            yield (
                f"{called} has lost its {split} predictions ({decoding}), or they are damaged: its masks "
                "cannot be shown."
            )
    if run.evaluated and not is_whole_archive(folder / "split.npz"):
        yield f"{called} has lost its split.npz, or it is damaged: its masks cannot be shown."


def _run_folders(settings: Settings) -> list[Path]:
    return [p for p in _entries(settings.runs_dir) if _RUN_ID.fullmatch(p.name) and _is_folder(p)]


def _strays(settings: Settings, known: Inventory, folders: list[Path]) -> Iterator[Stray]:
    # Imported here: pages wait for what the door imports, and none of them needs the readers of all formats.
    from marsseg.data.importing import last_change, list_stale

    ids = {run.id for run in known.runs}
    # A database that is older than the runs, such as a backup put back, must not cost them their files.
    unknown = (p for p in folders if p.name not in ids and _is_past(last_change(p)))
    for path in (*unknown, *list_stale(settings.datasets_dir)):
        yield Stray(path, _bytes(path))
    copies = (p for p in _entries(settings.home) if _TEMPORARY_COPY.fullmatch(p.name) and p.is_file())
    inside = (p for folder in folders if folder.name in ids for p in folder.rglob(".*"))
    for path in (*copies, *(p for p in inside if _TEMPORARY.fullmatch(p.name))):
        if (path.is_file() or _is_folder(path)) and _is_past(last_change(path)):
            yield Stray(path, _bytes(path))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_past(moment: float) -> bool:
    return moment < time.time() - _OLD_SECONDS


def _bytes(path: Path) -> int:
    return path.lstat().st_size if path.is_file() else sum(file_sizes(path))
