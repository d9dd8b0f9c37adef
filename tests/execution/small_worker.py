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
CHILD_CODE = "import time; time.sleep(60)"


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
    if name == "speechless":
        return wait_for(settings.home / "go")
    store.worker_started(run_id, token, own_identity(token))
    store.report_progress(run_id, token, Progress(Phase.TRAINING, epoch=1, epochs=3))
    sys.stdout.write("worker speaking\n")
    sys.stderr.write("worker complaining\n")
    if name == "mute":
        return 0
    if name == "parent":
        child = subprocess.Popen([sys.executable, "-c", CHILD_CODE])
        (folder / "child").write_text(str(child.pid))
    status, reason = work(store, run_id, token, settings.home / "go", obeys=name != "stubborn")
    store.finish(run_id, token, status, reason)
    return wait_for(Path("/nonexistent")) if name == "lingering" else 0


def work(store: RunStore, run_id: str, token: str, go: Path, *, obeys: bool) -> tuple[RunStatus, str]:
    """Beat until told to finish or to stop."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not go.exists() and time.monotonic() < deadline:
        if store.heartbeat(run_id, token) and obeys:
            return RunStatus.STOPPED, "Stopped in epoch 1."
        time.sleep(0.05)
    return RunStatus.COMPLETED, "All epochs done."


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ["MARSSEG_LAUNCH_TOKEN"]))
