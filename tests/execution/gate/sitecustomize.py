"""Lets a real worker hold still at a point of choice, so that a test can kill something just then.

Python imports this by itself before anything else in each process whose PYTHONPATH names this folder. The
file `MARSSEG_TEST_GATE` says at which point a worker shall wait, e.g. {"phase": "training", "epoch": 2,
"step": 1}, and `.reached` appears beside it once one does; it goes on when the file is gone or says
something else. Nothing else about scheduler, worker or page server is changed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

GATE = os.environ.get("MARSSEG_TEST_GATE", "")
WORKER = "marsseg.training.worker"


def hold(**point: Any) -> None:
    """Wait here if the gate names this point, until it does no more."""
    wanted = wanted_point()
    if wanted is None or any(point.get(key) != value for key, value in wanted.items()):
        return
    Path(f"{GATE}.reached").write_text(str(os.getpid()))
    while wanted_point() == wanted:
        time.sleep(0.02)


def wanted_point() -> dict[str, Any] | None:
    try:
        return json.loads(Path(GATE).read_text())
    except (OSError, ValueError):
        return None


def hold_in_phases(reporting: ModuleType) -> None:
    """Wait where the worker says what it is doing; its heartbeat goes on."""
    listen = reporting.StoreReporter.progress

    def progress(self: Any, said: Any) -> None:
        listen(self, said)
        hold(phase=str(said.phase), epoch=said.epoch, step=said.step)

    reporting.StoreReporter.progress = progress


def hold_in_checkpoints(files: ModuleType) -> None:
    """Wait when a checkpoint's content is written, but neither synced nor under its name."""
    write_whole = files.write_whole

    def write_and_hold(path: Path, write: Callable[[Any], object], *rest: Any, **options: Any) -> Any:
        def fill(file: Any) -> None:
            write(file)
            file.flush()
            if path.name.startswith("epoch-") and path.suffix == ".npz":
                hold(phase="checkpoint", epoch=int(path.name[6:10]))

        return write_whole(path, fill, *rest, **options)

    files.write_whole = write_and_hold


def hold_in_loading(arrays: ModuleType) -> None:
    """Wait where the worker is about to open its dataset, with its heartbeat going."""
    open_arrays = arrays.open_arrays

    def hold_and_open(folder: Path) -> Any:
        hold(phase="opening dataset")
        return open_arrays(folder)

    arrays.open_arrays = hold_and_open


class Patcher(MetaPathFinder):
    """Changes a module right after its own code has run, before anyone else sees it."""

    changes: dict[str, Callable[[ModuleType], None]] = {  # noqa: RUF012
        "marsseg.data.arrays": hold_in_loading,
        "marsseg.training.reporting": hold_in_phases,
        "marsseg.training.files": hold_in_checkpoints,
    }

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = self.changes.get(name)
        spec = PathFinder.find_spec(name, path, target) if change else None
        if change is None or spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_change(module: ModuleType) -> None:
            run(module)
            change(module)

        spec.loader.exec_module = run_and_change  # type: ignore[method-assign]
        return spec


if GATE and WORKER in sys.orig_argv:
    sys.meta_path.insert(0, Patcher())
    hold(phase="starting")
