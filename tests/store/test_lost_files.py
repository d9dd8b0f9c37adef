"""What is refused before SQLite opens it: lost databases, names of something else, tables that are gone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from marsseg.errors import StoreError
from marsseg.settings import Settings
from marsseg.store import RunStore, care
from tests.store.building import add_dataset


def test_an_empty_file_beside_runs_is_no_new_store(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "runs.db").touch()
    (tmp_path / "artifacts" / "runs" / "r-11111111").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"is empty, but runs have files.*remove it and move the folder"):
        RunStore(sqlite_url)
    assert (tmp_path / "runs.db").stat().st_size == 0


def test_a_file_that_is_missing_beside_runs_is_not_made_anew(tmp_path: Path, sqlite_url: str) -> None:
    runs = tmp_path / "artifacts" / "runs"
    (runs / "r-11111111").mkdir(parents=True)
    sentence = r"runs\.db is missing, but runs have files in .*to begin anew, move the folder .*runs away"
    for look in (RunStore, care.check, care.migrate):
        with pytest.raises(StoreError, match=sentence):
            look(sqlite_url)
    assert not (tmp_path / "runs.db").exists()
    runs.rename(tmp_path / "aside")
    assert RunStore(sqlite_url).list_runs() == []


def test_runs_of_another_store_say_nothing_against_a_new_one(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "artifacts" / "runs" / "r-11111111").mkdir(parents=True)
    home = tmp_path / "home"
    (home / "artifacts" / "runs" / "r-22222222").mkdir(parents=True)
    for url in (sqlite_url, f"sqlite:///{tmp_path / 'elsewhere.db'}"):
        assert RunStore.open(Settings(home, url)).list_runs() == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Path.mkdir, r"runs\.db cannot be opened, as there is a folder of that name; move it away"),
        (os.mkfifo, r"runs\.db cannot be opened, as there is no ordinary file of that name; move it away"),
        (
            lambda path: path.symlink_to(path.with_name("unmounted.db")),
            r"runs\.db is a link to .*unmounted\.db, where nothing is; .*disk mounted.*remove the link",
        ),
    ],
    ids=["folder", "pipe", "dangling link"],
)
def test_what_can_be_no_database_is_named(tmp_path: Path, sqlite_url: str, make, sentence: str) -> None:
    make(tmp_path / "runs.db")
    for look in (RunStore, care.check):
        with pytest.raises(StoreError, match=sentence):
            look(sqlite_url)
    assert [path.name for path in tmp_path.iterdir()] == ["runs.db"]


def test_a_link_to_a_database_and_its_log_is_followed(tmp_path: Path, sqlite_url: str) -> None:
    real = tmp_path / "disk" / "real.db"
    real.parent.mkdir()
    RunStore(f"sqlite:///{real}").close()
    (tmp_path / "runs.db").symlink_to(real)
    store = RunStore(sqlite_url)
    dataset = add_dataset(store)
    assert real.with_name("real.db-wal").exists()
    with pytest.raises(StoreError, match=r"real\.db-wal: SQLite uses that name"):
        care.back_up(sqlite_url, real.with_name("real.db-wal"))
    store.close()
    assert RunStore(f"sqlite:///{real}").list_datasets() == [dataset]


def test_a_store_that_lacks_a_table_is_refused_before_anything_is_written(
    tmp_path: Path, sqlite_url: str
) -> None:
    RunStore(sqlite_url).close()
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("DROP TABLE evaluations")
    connection.close()
    with pytest.raises(StoreError, match=r"lacks .*the table evaluations.*`python -m marsseg db check`"):
        RunStore(sqlite_url)
