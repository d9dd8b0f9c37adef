"""Fixtures for all rooms. No test ever sees the person's own runs: MARSSEG_HOME is a temporary folder."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import hypothesis
import psutil
import pytest

from marsseg import services
from marsseg.execution.launch import launch_scheduler
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store.store import RunStore
from tests.support.disks import Mount

# Read by TensorFlow when it is first imported, here or in a worker that a test starts.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if "PYTEST_XDIST_WORKER" in os.environ:  # several share the cores: more threads would wait for each other
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")

# Shared machines stall now and then; an example is not wrong because it was slow.
hypothesis.settings.register_profile("lab", deadline=None)
hypothesis.settings.load_profile("lab")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import modules that `-m "not training …"` leaves out as a whole.

    They would bring TensorFlow with them. Once Keras is loaded, Streamlit clears its session after every run
    of a page, which took longer than the pages themselves.
    """
    chosen: str = config.option.markexpr
    if " or " in chosen or collection_path.suffix != ".py":
        return None
    marks = re.search(r"^pytestmark = (?:.+\n)+", collection_path.read_text("utf-8"), re.MULTILINE)
    left_out = re.findall(r"\bnot (\w+)", chosen)
    return any(f"pytest.mark.{name}" in marks[0] for name in left_out) or None if marks else None


def pytest_collection_finish() -> None:
    """Spare the garbage collector what lives until the end, and Streamlit its search after every run."""
    gc.freeze()
    if "streamlit.config" in sys.modules:
        sys.modules["streamlit.config"].set_option("runner.postScriptGC", False)


@pytest.fixture(autouse=True)
def _is_marked_if_it_trains(request: pytest.FixtureRequest) -> Iterator[None]:
    """Name the test that brings TensorFlow to those that need none: simulated pages after it are slow."""
    heavy = {"keras", "tensorflow"}
    wanted = "not training" not in request.config.option.markexpr or heavy & set(sys.modules)
    yield
    assert wanted or not heavy & set(sys.modules), "this test needs the mark `training`"


@pytest.fixture(autouse=True, scope="session")
def _keep_away_from_real_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a test forgets to pass in lands in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MARSSEG_DATABASE_URL", raising=False)
        patch.delenv("MARSSEG_SLOTS", raising=False)
        patch.setenv("MARSSEG_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose store and files live in this test's own folder."""
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the very first start makes: a store and the demo terrain. To be copied, not to be changed.

    It is drawn once, also where several processes share the tests: the first to ask makes it, others wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home, made = shared / "first", shared / "first-made"
    with (shared / "first.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            services.open_lab(Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")).store.close()
            made.touch()
    return home


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder of the real Mars tiles; skips where there is none, fails where there must be one."""
    folder = Path(os.environ.get("MARSSEG_REAL_DATA") or PROJECT_ROOT.parent / "shared" / "data")
    if (folder / "mars_tiles.npz").is_file():
        return folder
    reason = f"needs the real Mars tiles in {folder}; name another folder with MARSSEG_REAL_DATA"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mount a small disk at a folder, or remount it "ro" or "rw"; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount_it(folder: Path, mode: str = "rw", megabytes: int = 64) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        how = f"remount,{mode}" if folder in mounted else f"{mode},size={megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount_it
    for folder in dict.fromkeys(reversed(mounted)):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def processes_of(home: Path) -> list[psutil.Process]:
    """Live processes that were told to work in `home`: the schedulers and workers of one test."""
    found = []
    for process in psutil.process_iter():
        try:
            told = process.environ().get("MARSSEG_HOME")
            if told == str(home) and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:  # gone meanwhile, or someone else's
            continue
    return found


@pytest.fixture
def no_leftover_processes(settings: Settings) -> Iterator[None]:
    """End the test's scheduler, which may idle, and fail if it or any worker does not go."""
    yield
    for process in processes_of(settings.home):
        if "marsseg.execution.scheduler" in process.cmdline():
            process.terminate()
    psutil.wait_procs(processes_of(settings.home), timeout=20)
    left = processes_of(settings.home)
    commands = [" ".join(process.cmdline()) for process in left]
    for process in left:
        process.kill()
    assert not left, f"left running: {commands}"


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Homes whose scheduler a use case asked for, instead of starting one."""
    asked: list[str] = []

    def remember(settings: Settings, *, store: RunStore) -> None:
        asked.append(str(settings.home))

    monkeypatch.setattr("marsseg.services.lab.ensure_scheduler", remember)
    return asked


@pytest.fixture(autouse=True)
def _only_training_tests_train(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler with the real worker would train behind the back of a test, and after its end."""
    if {"training", "browser"} & {mark.name for mark in request.node.iter_markers()}:
        return

    def launch(settings: Settings, arguments: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        assert "--worker-module" in arguments, "Only tests marked `training` may train: use `woken`."
        return launch_scheduler(settings, arguments)

    monkeypatch.setattr("marsseg.execution.control.launch_scheduler", launch)
