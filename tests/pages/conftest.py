"""Labs behind the pages, and a person at them. Nothing trains: the scheduler stays asleep."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager

from marsseg import services
from marsseg.services import imports
from marsseg.services import lab as lab_module
from marsseg.services.lab import Lab
from marsseg.store.records import Phase, Progress, RunRecord, RunStatus
from tests.inference.conftest import METADATA, brightness_weights, write_network
from tests.pages.driver import AWKWARD, REASON
from tests.support.labs import config, finish_run, make_lab, queue_run, start_run

OpenHome = Callable[[Path], Lab]
_SCAN = manifest_scanner.scan_component_manifests


@pytest.fixture(autouse=True)
def _asleep(woken: list[str]) -> None:
    """No page starts a scheduler."""


@pytest.fixture(autouse=True, scope="session")
def _packages_are_searched_once() -> Iterator[None]:
    """Streamlit looks through all installed packages for components, for each simulated session anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(_SCAN))
        yield


@pytest.fixture(autouse=True)
def _fresh_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has run nothing yet, and then remembers that `app.py` registers the pages.

    AppTest forgets it before each run and would then run a page without the app around it.
    """
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    remembering = type("RememberingPagesManager", (PagesManager,), {})
    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", remembering)


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch, woken: list[str]) -> Iterator[OpenHome]:
    """Makes a home the one that pages open, and opens it as they do."""
    opened: list[Lab] = []

    def open_it(home: Path) -> Lab:
        monkeypatch.setenv("MARSSEG_HOME", str(home))
        opened.append(services.open_lab())
        return opened[-1]

    monkeypatch.setattr(lab_module, "_labs", {})
    monkeypatch.setattr(imports, "_jobs", {})
    yield open_it
    for lab in opened:
        lab.store.close()


@pytest.fixture(scope="session")
def plain_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small dataset and no runs."""
    home = tmp_path_factory.mktemp("plain")
    make_lab(home).store.close()
    return home


@pytest.fixture(scope="session")
def scored_home(tmp_path_factory: pytest.TempPathFactory, plain_home: Path) -> Path:
    """Four scored runs of three configurations; one is repeated, one has a log, a network and an odd name."""
    home = tmp_path_factory.mktemp("scored") / "home"
    shutil.copytree(plain_home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARSSEG_HOME", str(home))
        lab = services.open_lab()
        finish_run(lab, config(), error_rate=0.5, name="plain")
        finish_run(lab, config(train__seed=1), error_rate=0.4, name="plain")
        finish_run(lab, config(model__residual=True), error_rate=0.1)
        last = finish_run(lab, config(model__squeeze_excite=True, name=AWKWARD), error_rate=0.3)
        folder = lab.settings.run_dir(last.id)
        (folder / "log.txt").write_text("epoch 1/3\nepoch 2/3\nlast words\n", encoding="utf-8")
        write_network(folder / "model.onnx", *brightness_weights(), METADATA | {"run_id": last.id}, 8)
        lab.store.close()
    return home


@pytest.fixture
def first_visit(open_home: OpenHome, first_home: Path, tmp_path: Path) -> Lab:
    return open_home(_copied(first_home, tmp_path))


@pytest.fixture
def lab(open_home: OpenHome, plain_home: Path, tmp_path: Path) -> Lab:
    """A lab of the test's own with one small dataset."""
    return open_home(_copied(plain_home, tmp_path))


@pytest.fixture
def scored(open_home: OpenHome, scored_home: Path, tmp_path: Path) -> Lab:
    """A lab of the test's own with four scored runs."""
    return open_home(_copied(scored_home, tmp_path))


@pytest.fixture
def training(lab: Lab) -> RunRecord:
    """An active run in its third epoch of eight."""
    run, token = start_run(lab, queue_run(lab, config(), f"busy {AWKWARD}").id)
    lab.store.report_progress(run.id, token, Progress(Phase.TRAINING, 3, 8, 5, 10, 41.5, 240.0))
    return services.get_run(lab, run.id)


@pytest.fixture
def failed(lab: Lab) -> RunRecord:
    run, token = start_run(lab, queue_run(lab, config(train__seed=3), "gone wrong").id)
    lab.store.finish(run.id, token, RunStatus.FAILED, REASON)
    return services.get_run(lab, run.id)


@pytest.fixture
def queued(lab: Lab) -> list[RunRecord]:
    return [queue_run(lab, config(train__seed=seed), f"waits {seed}") for seed in (10, 11, 12)]


def _copied(home: Path, target: Path) -> Path:
    return Path(shutil.copytree(home, target / "lab"))
