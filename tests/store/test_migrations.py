"""Upgrades: a store of any earlier revision opens, keeps what it held, and leaves a copy from before."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from marsseg.errors import StoreError
from marsseg.store import RunStore
from marsseg.store.records import RunStatus
from marsseg.store.schema import HEAD
from tests.store.building import claim, epoch, identity
from tests.store.old_stores import LAUNCHES, contents, downgrade, fill_0001, make_store, shapes
from tests.store.racer import Race

NEW_COLUMNS = {"launches", "threads", "gpu", "notes", "tags", "archived", "checkpoint"}


@pytest.fixture
def old_url(database_url: str) -> str:
    """A store that the first version of the lab worked with."""
    make_store(database_url, "0001")
    fill_0001(database_url)
    return database_url


@pytest.fixture
def old_file(sqlite_url: str, tmp_path: Path) -> Path:
    make_store(sqlite_url, "0001")
    fill_0001(sqlite_url)
    return tmp_path / "runs.db"


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_the_first_version_s_store_opens_with_all_that_it_held(old_url: str) -> None:
    store = RunStore(old_url)
    runs = {run.id: run for run in store.list_runs()}
    assert set(runs) == {f"r-{status}" for status in RunStatus}
    for number, status in enumerate(RunStatus, start=1):
        run = runs[f"r-{status}"]
        assert (run.status, run.name, run.priority, run.dropped_rows) == (status, f"was {status}", 2, (1, 9))
        assert run.provenance == {"git_commit": "abc"}
        assert (run.threads, run.gpu, run.notes, run.tags, run.archived) == (None, None, "", (), False)
        assert np.all(store.confusion_totals("test", "argmax")[run.id] == 2 * number)
        assert store.list_evaluations([run.id], "test", "argmax")[0].rows.tolist() == [3, 4]
        assert len(store.list_events(run.id)) == 1 + LAUNCHES.get(status, 1)
    assert store.list_datasets()[0].dropped_rows == (1, 9)
    assert store.is_queue_paused() is False
    store.close()


def test_an_upgrade_fills_in_where_checkpoints_lie_and_how_often_runs_were_launched(old_url: str) -> None:
    store = RunStore(old_url)
    names = ["epoch-0001.npz", "epoch-0009.npz", "epoch-0010.npz", "epoch-1234.npz"]
    for run in store.list_runs():
        assert [found.checkpoint for found in store.list_epochs(run.id)] == names
        assert run.launches == LAUNCHES.get(run.status, 1)
    store.close()


def test_upgraded_runs_go_on_living(old_url: str) -> None:
    store = RunStore(old_url)
    store.requeue("r-lost")
    store.extend_run("r-completed", 3)
    assert store.get_run("r-completed").config.train.epochs == 1237
    store.delete_runs(["r-failed"])
    store.finish("r-running", "t0", RunStatus.COMPLETED, "Done.")
    first, token = claim(store)
    assert first.id == "r-queued"
    store.worker_started(first.id, token, identity(token))
    store.add_epoch(first.id, token, epoch(1, checkpoint="epoch-0001-aa.npz"))
    assert store.list_epochs(first.id)[0].checkpoint == "epoch-0001-aa.npz"
    store.close()


def test_an_upgraded_store_has_the_tables_of_a_new_one(old_url: str, tmp_path: Path) -> None:
    RunStore(old_url).close()
    upgraded = shapes(old_url)
    if old_url.startswith("sqlite"):
        new_url = f"sqlite:///{tmp_path / 'new.db'}"
        RunStore(new_url).close()
        assert upgraded == shapes(new_url)
    assert {c[0] for table in ("runs", "epochs") for c in upgraded[table]["columns"]} >= NEW_COLUMNS


def test_a_downgrade_gives_the_first_version_its_tables_and_rows_back(old_url: str) -> None:
    before, tables = contents(old_url), shapes(old_url)
    RunStore(old_url).close()
    downgrade(old_url, "0001")
    assert shapes(old_url) == tables
    assert contents(old_url) == before
    store = RunStore(old_url)
    assert len(store.list_runs()) == len(RunStatus)
    assert store.list_epochs("r-lost")[1].checkpoint == "epoch-0009.npz"
    store.close()


def test_the_copy_from_before_is_a_sound_store_of_then(old_file: Path, sqlite_url: str) -> None:
    before = contents(sqlite_url)
    RunStore(sqlite_url).close()
    copy = old_file.with_name("runs.db.0001.backup")
    assert contents(f"sqlite:///{copy}") == before
    assert revision_of(copy) == "0001"
    assert sorted(os.listdir(old_file.parent)) == ["runs.db", copy.name]  # noqa: PTH208
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(RunStore(f"sqlite:///{copy}").list_runs()) == len(RunStatus)


def test_a_current_store_is_not_copied(sqlite_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        RunStore(sqlite_url).close()
    assert [path.name for path in tmp_path.iterdir()] == ["runs.db"]


def test_a_second_copy_leaves_the_first_alone(old_file: Path, sqlite_url: str) -> None:
    RunStore(sqlite_url).close()
    first = old_file.with_name("runs.db.0001.backup").read_bytes()
    downgrade(sqlite_url, "0001")
    RunStore(sqlite_url).close()
    assert old_file.with_name("runs.db.0001.backup").read_bytes() == first
    assert revision_of(old_file.with_name("runs.db.0001-2.backup")) == "0001"


def test_processes_upgrading_at_once_make_one_copy(old_file: Path, sqlite_url: str, race: Race) -> None:
    found = race("result = len(RunStore(arguments[0]).list_runs())", sqlite_url)
    assert found == [len(RunStatus)] * 4
    assert [path.name for path in old_file.parent.glob("*.backup")] == ["runs.db.0001.backup"]
    assert revision_of(old_file.with_name("runs.db.0001.backup")) == "0001"
    assert revision_of(old_file) == HEAD


def test_the_copy_holds_what_was_not_yet_written_back_to_the_file(old_file: Path, sqlite_url: str) -> None:
    with closing(sqlite3.connect(old_file)) as other:
        other.execute("UPDATE runs SET name = 'only in the log' WHERE id = 'r-lost'")
        other.commit()
        assert old_file.with_name("runs.db-wal").stat().st_size > 0
        RunStore(sqlite_url).close()
    with closing(sqlite3.connect(old_file.with_name("runs.db.0001.backup"))) as copy:
        assert copy.execute("SELECT name FROM runs WHERE id = 'r-lost'").fetchone() == ("only in the log",)


def test_a_worker_of_the_first_version_goes_on_writing_through_the_upgrade(
    old_file: Path, sqlite_url: str
) -> None:
    """It holds the database open all the time, with a view from before, and writes as it did before."""
    with closing(sqlite3.connect(old_file, isolation_level=None)) as worker:
        worker.execute("BEGIN")
        worker.execute("SELECT count(*) FROM runs").fetchone()
        store = RunStore(sqlite_url)
        worker.execute("COMMIT")
        worker.execute("BEGIN IMMEDIATE")
        worker.execute("UPDATE runs SET heartbeat_at = 1700000099.0 WHERE id = 'r-running' AND token = 't0'")
        worker.execute(
            "INSERT INTO epochs (run_id, epoch, loss, val_class_iou) VALUES ('r-running', 11, 1, '[]')"
        )
        worker.execute("COMMIT")
        assert store.get_run("r-running").heartbeat_at == 1700000099.0
        assert {e.epoch: e.checkpoint for e in store.list_epochs("r-running")}[11] is None
        assert store.heartbeat("r-running", "t0") is False


@pytest.fixture
def full_disk(old_file: Path, tmp_path: Path) -> Iterator[Path]:
    """A disk that holds a store of then, with room for its log, but not for a copy."""
    folder = tmp_path / "disk"
    folder.mkdir()
    room = f"size={old_file.stat().st_size // 1024 + 64}k"
    mount = ["mount", "-t", "tmpfs", "-o", room, "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here ({mounted.stderr.strip()})")
    yield Path(shutil.copy(old_file, folder))
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_without_room_for_the_copy_nothing_is_upgraded(full_disk: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{full_disk}"
    before = contents(url)
    with pytest.raises(StoreError, match=r"backup .*runs\.db\.0001\.backup cannot be written .*make room"):
        RunStore(url)
    assert contents(url) == before
    assert revision_of(full_disk) == "0001"
    assert not [path for path in full_disk.parent.iterdir() if path.suffix in {".backup", ".tmp"}]
    with_room = shutil.copy(full_disk, tmp_path / "elsewhere.db")
    assert len(RunStore(f"sqlite:///{with_room}").list_runs()) == len(RunStatus)


def test_where_nothing_can_be_written_nothing_is_upgraded(full_disk: Path) -> None:
    before = full_disk.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(full_disk.parent)], check=True)
    with pytest.raises(StoreError, match=r"cannot be opened for writing.*permissions"):
        RunStore(f"sqlite:///{full_disk}")
    assert full_disk.read_bytes() == before


def test_a_copy_that_cannot_be_written_is_told_by_name(
    old_file: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", refuse)
        with pytest.raises(
            StoreError, match=r"runs\.db\.0001\.backup cannot be written \(Permission denied\)"
        ):
            RunStore(sqlite_url)
    assert revision_of(old_file) == "0001"
    assert len(RunStore(sqlite_url).list_runs()) == len(RunStatus)


def test_a_store_of_the_future_is_neither_copied_nor_changed(old_file: Path, sqlite_url: str) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
        connection.commit()
    before = old_file.read_bytes()
    with pytest.raises(StoreError, match=rf"newer version .*revision 0099.*up to {HEAD}.*update the lab"):
        RunStore(sqlite_url)
    assert old_file.read_bytes() == before
    assert not list(old_file.parent.glob("*.backup"))
