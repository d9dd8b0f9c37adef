"""Imports that go on in the background while a person looks at other pages.

An import runs in a thread of the process that started it and ends with it; if it is cut short, it leaves
nothing behind, because datasets are moved into place only when they are whole.
"""

from __future__ import annotations

import itertools
import logging
import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import BinaryIO

from marsseg.errors import DatasetError, MarsSegError
from marsseg.services.datasets import UPLOAD_OF, AddedDataset, Progress, add_dataset, unused_name
from marsseg.services.lab import Lab

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportJob:
    """How far an import has come.

    Args:
        label: what is imported, as people know it.
        fraction: share done, 0 to 1.
        what: what is being done.
        added: what came of it; None while it runs or if it failed.
        problem: the sentence that says why it failed, or "".
    """

    id: int
    label: str
    fraction: float = 0.0
    what: str = "waiting"
    added: AddedDataset | None = None
    problem: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it ended, well or not."""
        return self.added is not None or bool(self.problem)


_jobs: dict[int, ImportJob] = {}
_lock = threading.Lock()
_ids = itertools.count(1)


def start_import(lab: Lab, path: str, *, name: str | None = None, frame_size: int | None = None) -> ImportJob:
    """Begin to import a file or folder on this machine; returns at once."""
    return _start(
        PurePath(path).name or path,
        lambda report: add_dataset(lab, path, name=name, frame_size=frame_size, progress=report),
    )


def start_upload(
    lab: Lab, filename: str, stream: BinaryIO, *, name: str | None = None, frame_size: int | None = None
) -> ImportJob:
    """Begin to import an uploaded npz; `filename` comes from the browser and is never used as a path.

    Raises:
        DatasetError: the upload is no npz, or does not fit on the disk.
    """
    label = PurePath(filename.replace("\\", "/")).name
    if not label.lower().endswith(".npz"):
        raise DatasetError(
            f"{label} is not an .npz file; upload one in the course format, or add a folder by its path."
        )
    path = _keep(stream, lab.settings.datasets_dir, _harmless(label))

    def work(report: Progress) -> AddedDataset:
        try:
            final = name or unused_name(lab, PurePath(label).stem)
            source = UPLOAD_OF + label
            return add_dataset(lab, path, name=final, frame_size=frame_size, progress=report, source=source)
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)

    return _start(label, work)


def _harmless(label: str) -> str:
    """A file name that is safe anywhere and still known again in an error's sentence."""
    return re.sub(r"[^\w.-]", "_", PurePath(label).stem, flags=re.ASCII)[-60:] + ".npz"


def _keep(stream: BinaryIO, datasets_dir: Path, name: str) -> Path:
    """Copy an upload to a file in a folder of its own, which is swept up should this process be killed."""
    from marsseg.data.importing import STAGING, remove_stale

    folder = None
    try:
        remove_stale(datasets_dir)
        folder = Path(tempfile.mkdtemp(dir=datasets_dir, prefix=f"{STAGING}upload-"))
        with (folder / name).open("wb") as target:
            shutil.copyfileobj(stream, target, 1 << 20)
    except OSError as error:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        raise DatasetError(
            f"The upload could not be kept in {datasets_dir} ({error.strerror or error}); free some space or "
            "check the folder's permissions, then upload it again."
        ) from error
    return folder / name


def list_imports() -> list[ImportJob]:
    """Imports of this process that nobody has dismissed yet, oldest first."""
    with _lock:
        return list(_jobs.values())


def dismiss_import(job_id: int) -> None:
    """Forget an import that has ended."""
    with _lock:
        if job_id in _jobs and _jobs[job_id].is_done:
            del _jobs[job_id]


def wait_for_import(job_id: int, timeout: float = 600.0) -> ImportJob:
    """Wait until an import has ended, for callers that have nothing else to do."""
    thread = next((t for t in threading.enumerate() if t.name == _thread_name(job_id)), None)
    if thread is not None:
        thread.join(timeout)
    with _lock:
        return _jobs[job_id]


def _start(label: str, work: Callable[[Progress], AddedDataset]) -> ImportJob:
    job = ImportJob(next(_ids), label)
    with _lock:
        _jobs[job.id] = job
    threading.Thread(target=_run, args=(job.id, work), name=_thread_name(job.id), daemon=True).start()
    return job


def _run(job_id: int, work: Callable[[Progress], AddedDataset]) -> None:
    def report(fraction: float, what: str) -> None:
        _update(job_id, fraction=fraction, what=what)

    try:
        _update(job_id, added=work(report), fraction=1.0, what="done")
    except MarsSegError as error:
        _update(job_id, problem=str(error))
    except Exception as error:
        logger.exception("Import %d failed.", job_id)
        _update(job_id, problem=f"The import failed: {error}. Check the file and the free disk space.")


def _update(job_id: int, **changes: object) -> None:
    with _lock:
        _jobs[job_id] = replace(_jobs[job_id], **changes)  # type: ignore[arg-type]


def _thread_name(job_id: int) -> str:
    return f"import-{job_id}"
