"""Small disks that tests mount and fill."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

Mount = Callable[..., Path]
"""What the `mount` fixture gives: `mount(folder, mode="rw", megabytes=64)`."""


@contextlib.contextmanager
def filled(folder: Path, *, free: int = 0) -> Iterator[Path]:
    """Leave only so many bytes on a disk while the block runs, or until the given file is removed."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    os.truncate(filler, filler.stat().st_size - free)
    yield filler
    filler.unlink(missing_ok=True)
