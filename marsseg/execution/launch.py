"""Starting workers and schedulers: a session of their own, output to a log file, never a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path

import psutil

from marsseg.execution.devices import VISIBLE_DEVICES
from marsseg.identity import TOKEN_VARIABLE, ProcessIdentity, identify
from marsseg.settings import PROJECT_ROOT, Settings

WORKER_MODULE = "marsseg.training.worker"
SCHEDULER_MODULE = "marsseg.execution.scheduler"
LOG_NAME = "log.txt"
OUTSIDE_VARIABLE = "MARSSEG_OUTSIDE"
"""What the variables of a worker's share were before it got them, as JSON."""
_TAIL_BYTES = 4096
_THREADS = (
    "MARSSEG_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def launch_worker(
    settings: Settings,
    run_id: str,
    token: str,
    *,
    threads: int,
    gpu: str | None = None,
    module: str = WORKER_MODULE,
) -> subprocess.Popen[bytes]:
    """Start the worker of a run and return at once.

    Args:
        token: the run's launch token, by which the store knows this worker from earlier ones.
        threads: how many CPU threads it may use.
        gpu: the one GPU that it may see, as `CUDA_VISIBLE_DEVICES` calls it; None changes nothing.
        module: what `python -m` runs, with the run id as its argument.

    Raises:
        OSError: the log file cannot be written or the process cannot be made.
    """
    log = log_path(settings, run_id)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, run_id],
            cwd=PROJECT_ROOT,
            env=worker_environment(settings, token, threads, gpu),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def worker_environment(settings: Settings, token: str, threads: int, gpu: str | None) -> dict[str, str]:
    """What a worker finds in its environment: the settings, its token, its share of the machine."""
    share = {TOKEN_VARIABLE: token, **dict.fromkeys(_THREADS, str(threads))}
    if gpu is not None:
        share[VISIBLE_DEVICES] = gpu
    return {
        **os.environ,
        **settings.environment(),
        **share,
        OUTSIDE_VARIABLE: json.dumps({name: os.environ.get(name) for name in share}),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }


def leave_worker(environ: MutableMapping[str, str]) -> None:
    """Undo a worker's share: the scheduler that a worker started serves all GPUs and cores, not one run's."""
    for name, value in json.loads(environ.pop(OUTSIDE_VARIABLE, "{}")).items():
        environ.pop(name, None)
        if value is not None:
            environ[name] = value


def log_path(settings: Settings, run_id: str) -> Path:
    """The file that holds everything the workers of a run printed."""
    return settings.run_dir(run_id) / LOG_NAME


def last_log_line(settings: Settings, run_id: str) -> str:
    """The last line with text in a run's log, at most 200 characters; empty if there is none."""
    try:
        with log_path(settings, run_id).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


def find_worker(run_id: str, token: str) -> ProcessIdentity | None:
    """The living process of one launch of a run: for one that has not reported yet, of a dead scheduler."""
    launched = (worker for argument, worker in living_workers() if argument == run_id)
    return next((worker for worker in launched if worker.token == token), None)


def living_workers() -> Iterator[tuple[str, ProcessIdentity]]:
    """All processes that hold a launch token, each after the last argument of its command.

    That is the id of its run, in whatever store, unless it is a process that a worker has started.
    """
    for process in psutil.process_iter():
        try:
            token, command = process.environ().get(TOKEN_VARIABLE), process.cmdline()
        except psutil.Error:
            continue
        worker = identify(process.pid, token) if token and command else None
        if worker:
            yield command[-1], worker


def scheduler_log(settings: Settings) -> Path:
    """The file in which schedulers say what they did."""
    return settings.artifacts / "scheduler.log"


def launch_scheduler(settings: Settings, arguments: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start a scheduler in a session of its own and return at once; it outlives its launcher.

    Raises:
        OSError: the log file cannot be written or the process cannot be made.
    """
    log = scheduler_log(settings)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", SCHEDULER_MODULE, *arguments],
            cwd=PROJECT_ROOT,
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Someone has to wait for it, or it stays a zombie for as long as the launching page server lives.
    threading.Thread(target=process.wait, name="scheduler-reaper", daemon=True).start()
    return process
