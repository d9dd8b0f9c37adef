"""A worker without TensorFlow: the run's name says how it behaves, the file `go` lets it finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from marsseg.identity import own_identity
from marsseg.settings import load_settings
from marsseg.store import RunStore
from marsseg.store.records import Phase, Progress, RunStatus

GIVE_UP_SECONDS = 120
ALLOCATE_BYTES = 512 * 1024**2
PROGRESS = {
    "building": Progress(Phase.BUILDING),
    "batch": Progress(Phase.TRAINING, epoch=1, epochs=3, step_seconds=0.01),
}
STOPPED = (RunStatus.STOPPED, "Stopped in epoch 1.")
STOPPED_BY_SIGNAL = (RunStatus.STOPPED, "stopped by SIGTERM in epoch 1")
SLOW_STOP_SECONDS = 2.5
USUAL = Progress(Phase.TRAINING, epoch=1, epochs=3)
CHILD_CODE = "import time; time.sleep(60)"
HEARD: list[int] = []
"""Signals that a worker got whose disk answers again just then."""


def main(run_id: str, token: str) -> int:
    settings = load_settings()
    folder = settings.run_dir(run_id)
    store = RunStore.open(settings)
    name = store.get_run(run_id).name
    with (folder / "launches").open("a") as launches:
        launches.write(f"{os.getpid()}\n")
    if name == "crash":
        raise ValueError("the filters are too deep")
    if name == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if name == "late":
        signal.signal(signal.SIGTERM, lambda number, _frame: HEARD.append(number))
    if name == "speechless":
        return wait_for(settings.home / "go")
    store.worker_started(run_id, token, own_identity(token))
    store.report_progress(run_id, token, PROGRESS.get(name, USUAL))
    sys.stdout.write("worker speaking\n")
    sys.stderr.write("worker complaining\n")
    if name == "mute":
        return 0
    if name == "parent":
        child = subprocess.Popen([sys.executable, "-c", CHILD_CODE])
        (folder / "child").write_text(str(child.pid))
    if name == "lifeless":
        return wait_for(settings.home / "go")
    if name == "greedy":
        wait_for(folder / "allocate")
        return len(bytearray(ALLOCATE_BYTES)) % 2
    status, reason = work(store, run_id, token, settings.home / "go", name)
    store.finish(run_id, token, status, reason)
    return wait_for(Path("/nonexistent")) if name == "lingering" else 0


def work(store: RunStore, run_id: str, token: str, go: Path, name: str) -> tuple[RunStatus, str]:
    """Beat until told to finish or to stop."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not go.exists() and time.monotonic() < deadline:
        is_asked = store.heartbeat(run_id, token)
        if HEARD:
            return STOPPED_BY_SIGNAL
        if is_asked and name == "slow to stop":
            deadline = min(deadline, time.monotonic() + SLOW_STOP_SECONDS)
        elif is_asked and name != "stubborn":
            return STOPPED
        if name in {"moving", "slow to stop"}:
            store.report_progress(run_id, token, USUAL)
        time.sleep(0.05)
    return STOPPED if name == "slow to stop" else (RunStatus.COMPLETED, "All epochs done.")


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ["MARSSEG_LAUNCH_TOKEN"]))
