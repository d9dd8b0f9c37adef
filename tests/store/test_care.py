"""Care of the database: checked, copied, compacted and upgraded, each without the lab."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from marsseg.errors import DamagedStoreError, StoreError, UnusableStoreError
from marsseg.store import RunStore, care
from marsseg.store.engine import Database
from marsseg.store.records import RunStatus
from marsseg.store.schema import HEAD
from tests.store.building import add_dataset, epoch, evaluation, new_run, queue_runs, start_run
from tests.store.old_stores import contents, fill_0001, make_store
from tests.store.racer import Race


@pytest.fixture
def filled_url(database_url: str) -> str:
    """A store with a dataset, and a run with one epoch."""
    with closing(RunStore(database_url)) as store:
        run_id, token = start_run(store, add_dataset(store))
        store.add_epoch(run_id, token, epoch(1))
    return database_url


def test_a_sound_store_has_no_problems(filled_url: str) -> None:
    health = care.check(filled_url)
    assert health.problems == ()
    assert (health.revision, health.head) == (HEAD, HEAD)
    counted = {"datasets": 1, "runs": 1, "epochs": 1, "events": 4, "evaluations": 0, "switches": 0}
    assert {name: health.rows[name] for name in counted} == counted
    assert (health.size_bytes is not None) == filled_url.startswith("sqlite")


def test_an_earlier_store_is_checked_as_it_is(database_url: str) -> None:
    make_store(database_url, "0001")
    fill_0001(database_url)
    before = contents(database_url)
    health = care.check(database_url)
    assert (health.revision, health.problems) == ("0001", ())
    assert health.rows["runs"] == len(RunStatus)
    assert contents(database_url) == before


def test_rows_that_refer_to_nothing_are_problems(sqlite_url: str, tmp_path: Path) -> None:
    with closing(RunStore(sqlite_url)) as store:
        queue_runs(store, add_dataset(store), "ab")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("DELETE FROM datasets")
        connection.commit()
    sentence = "of runs refers to something that is not in datasets."
    assert [problem.split(" ", 2)[2] for problem in care.check(sqlite_url).problems] == [sentence] * 2


@pytest.mark.parametrize("revision", ["0001", HEAD])
def test_tables_and_columns_that_are_missing_are_problems(database_url: str, revision: str) -> None:
    make_store(database_url, revision)
    database = Database(database_url)
    with database.write() as session:
        session.execute(text("DROP TABLE evaluations"))
        session.execute(text("ALTER TABLE leases DROP COLUMN owner"))
    database.close()
    health = care.check(database_url)
    assert health.revision == revision
    assert health.problems == (
        "The table evaluations is missing; restore a backup.",
        "The table leases lacks its column owner; restore a backup.",
    )
    assert "runs" in health.rows


def test_tables_without_a_revision_are_a_problem(database_url: str) -> None:
    make_store(database_url, HEAD)
    database = Database(database_url)
    with database.write() as session:
        session.execute(text("DELETE FROM alembic_version"))
    database.close()
    (problem,) = care.check(database_url).problems
    assert "alembic_version is empty" in problem


def test_a_column_that_is_missing_is_told_where_it_is_needed(filled_url: str) -> None:
    if not filled_url.startswith("sqlite"):
        pytest.skip("PostgreSQL has words of its own for it")
    with closing(RunStore(filled_url)) as store:
        with store._database.write() as session:
            session.execute(text("ALTER TABLE leases DROP COLUMN owner"))
        with pytest.raises(
            UnusableStoreError, match=r"lacks .*owner.*`python -m marsseg db check` names all"
        ):
            store.find_lease("scheduler")


def test_a_store_of_the_future_cannot_be_judged(filled_url: str) -> None:
    database = Database(filled_url)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    database.close()
    for look in (care.check, care.migrate):
        with pytest.raises(StoreError, match="newer version"):
            look(filled_url)


@pytest.mark.parametrize("look", [care.check, care.vacuum, care.migrate])
def test_where_there_is_no_store_none_is_made(sqlite_url: str, tmp_path: Path, look) -> None:
    with pytest.raises(StoreError, match=r"no database .*runs\.db yet; the lab's first start makes it"):
        look(sqlite_url)
    with pytest.raises(StoreError, match="no database"):
        care.back_up(sqlite_url, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_a_store_of_its_own(sqlite_url: str, tmp_path: Path) -> None:
    with closing(RunStore(sqlite_url)) as store:
        queue_runs(store, add_dataset(store), "ab")
        care.back_up(sqlite_url, tmp_path / "copy.db")
        queue_runs(store, store.list_datasets()[0], "c")
    with closing(RunStore(f"sqlite:///{tmp_path / 'copy.db'}")) as copy:
        assert [run.name for run in copy.queue()] == ["a", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "runs.db"]


def test_a_backup_while_others_write_is_whole(sqlite_url: str, tmp_path: Path, race: Race) -> None:
    """Three queue runs and move them; the fourth makes copies, each of which is sound and in order."""
    add_dataset(RunStore(sqlite_url))
    script = """
from pathlib import Path
from marsseg.store import care
store, result = RunStore(arguments[0]), None
for turn in range(12):
    if number == 0:
        care.back_up(arguments[0], Path(arguments[1]) / f"copy-{turn}.db")
    else:
        store.move_queued(queue_runs(store, store.list_datasets()[0], [f"{number}-{turn}"])[0], "top")
"""
    race(script, sqlite_url, str(tmp_path))
    for copy in tmp_path.glob("copy-*.db"):
        url = f"sqlite:///{copy}"
        assert care.check(url).problems == ()
        positions = [run.position for run in RunStore(url).queue()]
        assert len(positions) == len(set(positions))


def test_a_backup_overwrites_nothing(sqlite_url: str, tmp_path: Path) -> None:
    RunStore(sqlite_url).close()
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(
        StoreError, match=r"copy\.db cannot be written \(there is a file of that name already\)"
    ):
        care.back_up(sqlite_url, tmp_path / "copy.db")
    with pytest.raises(StoreError, match=r"copy\.db cannot be written \(No such file or directory\)"):
        care.back_up(sqlite_url, tmp_path / "nowhere" / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "runs.db"]


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_a_backup_takes_no_name_that_sqlite_uses_itself(
    sqlite_url: str, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunStore(sqlite_url).close()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    for file in (tmp_path / f"runs.db{ending}", Path(f"runs.db{ending}")):
        with pytest.raises(StoreError, match=rf"cannot be called .*runs\.db{ending}: SQLite uses that name"):
            care.back_up(sqlite_url, file)
    assert sorted(tmp_path.iterdir()) == before
    care.back_up(f"sqlite:///{tmp_path / 'runs.db'}", tmp_path / f"other.db{ending}")


def test_a_server_is_backed_up_by_its_own_tools(postgresql_url: str, tmp_path: Path) -> None:
    RunStore(postgresql_url).close()
    with pytest.raises(StoreError, match="pg_dump"):
        care.back_up(postgresql_url, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_compacting_gives_the_space_of_deleted_runs_back(sqlite_url: str) -> None:
    with closing(RunStore(sqlite_url)) as store:
        dataset = add_dataset(store)
        for _ in range(8):
            run_id, token = start_run(store, dataset)
            store.add_evaluation(token, evaluation(run_id, images=800))
            store.finish(run_id, token, RunStatus.COMPLETED, "Done.")
        kept = run_id
        store.delete_runs([run.id for run in store.list_runs() if run.id != kept])
        before, after = care.vacuum(sqlite_url)
        assert before is not None
        assert after is not None
        assert after < before / 2
        assert len(store.list_evaluations([kept], "test", "argmax")) == 1
    assert care.check(sqlite_url).problems == ()


def test_compacting_a_server_measures_nothing(postgresql_url: str) -> None:
    RunStore(postgresql_url).close()
    assert care.vacuum(postgresql_url) == (None, None)


def test_upgrading_says_from_where_to_where(database_url: str, tmp_path: Path) -> None:
    make_store(database_url, "0001")
    upgrade = care.migrate(database_url)
    copy = tmp_path / "runs.db.0001.backup" if database_url.startswith("sqlite") else None
    assert upgrade == care.Upgrade("0001", HEAD, copy)
    assert copy is None or copy.is_file()
    assert care.migrate(database_url) == care.Upgrade(HEAD, HEAD, None)


def test_a_damaged_store_is_not_called_up_to_date(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    store = RunStore(url)
    dataset = add_dataset(store)
    for number in range(60):
        store.add_run(new_run(dataset, f"run {number}"))
    store.close()
    content = bytearray((tmp_path / "runs.db").read_bytes())
    content[16_384:] = os.urandom(len(content) - 16_384)
    (tmp_path / "runs.db").write_bytes(content)
    with pytest.raises(DamagedStoreError, match="not a readable database"):
        care.migrate(url)


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_backup_needs_the_name_of_a_file(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    RunStore(url).close()
    with pytest.raises(StoreError, match=r"names no file; say where the backup shall be"):
        care.back_up(url, Path(name))
