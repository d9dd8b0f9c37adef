"""Damaged files, also with a log beside them that SQLite would write into them: told and left as they are."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from marsseg.errors import DamagedStoreError, StoreError
from marsseg.store import RunStore, care
from tests.store.building import add_dataset, queue_runs
from tests.store.racer import Race

UNREADABLE = "not a readable database and was left as it is"
GONE = r"missing or empty, but its log runs\.db-wal is there"


def overwrite(file: Path) -> None:
    file.write_bytes(b"not a database, but notes " * 300)


def add_noise(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4_096] + b"\xa5" * (len(content) - 4_096))


def cut_off(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


Damage = Callable[[Path], None]
DAMAGES: list[tuple[Damage, str]] = [
    (overwrite, UNREADABLE),
    (add_noise, UNREADABLE),
    (cut_off, UNREADABLE),
    (empty, GONE),
    (Path.unlink, GONE),
]


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A store whose last 30 runs are in its log only, as after a power cut."""
    live, crashed = tmp_path / "live", tmp_path / "crashed"
    live.mkdir()
    with closing(RunStore(f"sqlite:///{live / 'runs.db'}")) as store:
        dataset = add_dataset(store)
        store.close()
        queue_runs(store, dataset, [f"run {number}" for number in range(30)])
        shutil.copytree(live, crashed)
    (crashed / "runs.db-shm").unlink()
    return crashed / "runs.db"


def contents_of(folder: Path) -> dict[str, bytes]:
    """Everything but SQLite's index of the log, which holds nothing of its own, and what is empty."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    return {name: content for name, content in files.items() if content}


def test_a_log_left_by_a_power_cut_is_read(crashed: Path) -> None:
    assert len(RunStore(f"sqlite:///{crashed}").list_runs()) == 30


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_a_damaged_file_and_its_log_are_left_as_they_are(
    crashed: Path, damage: Damage, sentence: str
) -> None:
    damage(crashed)
    before = contents_of(crashed.parent)
    assert "runs.db-wal" in before
    url = f"sqlite:///{crashed}"
    for look in (RunStore, care.check, care.vacuum, care.migrate):
        with pytest.raises(StoreError, match=sentence):
            look(url)
    with pytest.raises(StoreError, match=sentence):
        care.back_up(url, crashed.with_name("copy.db"))
    assert contents_of(crashed.parent) == before


def test_a_truncated_file_is_left_as_it_is(sqlite_url: str, tmp_path: Path) -> None:
    RunStore(sqlite_url).close()
    cut_off(tmp_path / "runs.db")
    before = contents_of(tmp_path)
    with pytest.raises(StoreError, match="not a readable database"):
        RunStore(sqlite_url)
    assert contents_of(tmp_path) == before


def test_an_empty_log_says_nothing_against_a_first_start(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "runs.db-wal").touch()
    assert RunStore(sqlite_url).version() == 0


def test_opening_while_others_write_is_no_damage(sqlite_url: str, race: Race) -> None:
    """Logs come and go while stores are opened, written and closed by several processes."""
    add_dataset(RunStore(sqlite_url))
    script = """
for turn in range(15):
    store = RunStore(arguments[0])
    queue_runs(store, store.list_datasets()[0], [f"{number}-{turn}"])
    store.close()
result = True
"""
    assert all(race(script, sqlite_url))
    assert len(RunStore(sqlite_url).list_runs()) == 60


def test_care_does_not_write_a_log_into_a_file_that_is_damaged_deep_inside(crashed: Path) -> None:
    with closing(sqlite3.connect(crashed)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_events_run_id'"
        ).fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("UPDATE switches SET is_on = 1")
        connection.execute("INSERT INTO switches VALUES ('only in the log', 1)")
        connection.commit()
        folder = crashed.parent.with_name("damaged")
        shutil.copytree(crashed.parent, folder)
    (folder / "runs.db-shm").unlink()
    with (folder / "runs.db").open("r+b") as file:
        file.seek((page - 1) * 4_096)
        file.write(b"\xa5" * 4_096)
    before = contents_of(folder)
    assert before["runs.db-wal"]
    url = f"sqlite:///{folder / 'runs.db'}"
    assert care.check(url).problems
    with pytest.raises(DamagedStoreError, match="left as it is"):
        care.migrate(url)
    assert contents_of(folder) == before


def test_damage_deep_inside_is_told_by_a_check(sqlite_url: str, tmp_path: Path) -> None:
    with closing(RunStore(sqlite_url)) as store:
        queue_runs(store, add_dataset(store), [f"run {number}" for number in range(60)])
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_runs_fingerprint'"
        ).fetchone()
    with (tmp_path / "runs.db").open("r+b") as file:
        file.seek((page - 1) * 4_096)
        file.write(b"\xa5" * 4_096)
    before = contents_of(tmp_path)
    health = care.check(sqlite_url)
    assert health.problems
    assert all(problem.endswith(".") for problem in health.problems)
    assert health.rows == {}
    assert contents_of(tmp_path) == before
