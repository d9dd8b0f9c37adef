"""Opening: from nothing, by many at once, from the future, from files that are something else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, text

from marsseg.errors import DamagedStoreError, StoreError
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store import RunStore, care
from marsseg.store.engine import Database
from marsseg.store.schema import HEAD, alembic_config
from marsseg.store.tables import Base, RunRow
from tests.store.building import add_dataset, epoch, new_run, start_run
from tests.store.racer import Race


def set_revision(url: str, revision: str) -> None:
    database = Database(url)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    database.close()


def compare_default(*compared: Any) -> bool | None:
    """Whether a default differs; those of JSON as text, because PostgreSQL cannot compare JSON itself."""
    _, _, column, found, _, expected = compared
    return found.removesuffix("::json") != expected if isinstance(column.type, JSON) and found else None


def test_a_first_start_makes_folder_and_tables(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
    run = RunStore.open(settings).add_run(new_run(add_dataset(RunStore.open(settings))))
    assert RunStore.open(settings).list_runs() == [run]


def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    store = RunStore(database_url)
    with store._database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": compare_default}
        )
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == HEAD
    store.close()


def test_head_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


def test_many_processes_open_one_new_store(sqlite_url: str, race: Race) -> None:
    script = """
result = [RunStore(url).acquire_lease("scheduler", f"{number}", 0, 0) for url in arguments]
"""
    urls = [sqlite_url.replace("runs.db", f"runs-{turn}.db") for turn in range(4)]
    for tokens in zip(*race(script, *urls), strict=True):
        assert sorted(tokens) == [1, 2, 3, 4]


def test_a_current_store_opens_without_alembic_and_without_writing(sqlite_url: str, tmp_path: Path) -> None:
    RunStore(sqlite_url).close()
    before = (tmp_path / "runs.db").read_bytes()
    script = f"""
import sys
from marsseg.store import RunStore
print(RunStore({sqlite_url!r}).version(), "alembic" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "False"]
    assert (tmp_path / "runs.db").read_bytes() == before


def test_sqlite_is_set_up_for_many_processes(sqlite_url: str) -> None:
    database = RunStore(sqlite_url)._database
    with database.read() as session:
        settings = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 30_000}


def test_a_migration_may_rebuild_a_table_without_losing_its_children(database_url: str) -> None:
    from alembic.operations import Operations

    store = RunStore(database_url)
    run_id, token = start_run(store, add_dataset(store))
    store.add_epoch(run_id, token, epoch(1))
    with store._database.migrate() as connection:
        operations = Operations(MigrationContext.configure(connection))
        always = "auto" if connection.dialect.name == "postgresql" else "always"
        with operations.batch_alter_table("runs", recreate=always) as batch:
            batch.alter_column("reason", nullable=True)
    assert [found.epoch for found in store.list_epochs(run_id)] == [1]
    with store._database.write() as session:
        session.delete(session.query(RunRow).one())
    assert store.list_epochs(run_id) == []
    store.close()


def test_a_failed_migration_leaves_nothing_behind(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    with monkeypatch.context() as patch:
        real = op.create_index
        patch.setattr(op, "create_index", lambda name, *args, **kw: real(name, "nowhere", *args[1:], **kw))
        with pytest.raises(StoreError, match="nowhere"):
            RunStore(sqlite_url)
    store = RunStore(sqlite_url)
    assert store.list_runs() == []


def test_a_store_of_the_future_is_refused(database_url: str) -> None:
    RunStore(database_url).close()
    set_revision(database_url, "9999")
    with pytest.raises(StoreError, match=rf"newer version.*revision 9999.*up to {HEAD}.*update the lab"):
        RunStore(database_url)
    set_revision(database_url, HEAD)
    assert RunStore(database_url).list_runs() == []


@pytest.mark.parametrize(
    "content",
    [
        b"not a database, but notes " * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(4_000),
        b"SQLite format 3\0" + b"\xff" * 4_080,
    ],
    ids=["text", "picture", "torn header"],
)
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, sqlite_url: str, content: bytes) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(content)
    with pytest.raises(
        StoreError, match=rf"{path} .*(not a readable database|refused).*MARSSEG_DATABASE_URL"
    ):
        RunStore(sqlite_url)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["runs.db"]  # noqa: PTH208


def test_pages_overwritten_with_noise_are_reported(tmp_path: Path, sqlite_url: str) -> None:
    store = RunStore(sqlite_url)
    dataset = add_dataset(store)
    for number in range(60):
        store.add_run(new_run(dataset, f"run {number}"))
    store.close()
    path = tmp_path / "runs.db"
    content = path.read_bytes()
    damaged = content[:4_096] + os.urandom(len(content) - 4_096)
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="not a readable database"):
        RunStore(sqlite_url).list_runs()
    assert path.read_bytes() == damaged


def damage_deep_inside(path: Path) -> bytes:
    """Overwrite what follows the first pages, as a bad disk does; returns the content."""
    content = bytearray(path.read_bytes())
    content[8_192:] = os.urandom(len(content) - 8_192)
    path.write_bytes(content)
    return bytes(content)


def test_a_damaged_backup_that_was_put_back_is_not_changed(tmp_path: Path, sqlite_url: str) -> None:
    """A backup is not in WAL mode, and switching it on would write to the file."""
    store = RunStore(sqlite_url)
    dataset = add_dataset(store)
    for number in range(60):
        store.add_run(new_run(dataset, f"run {number}"))
    store._database.backup(tmp_path / "copy.db")
    store.close()
    damaged = damage_deep_inside(tmp_path / "copy.db")
    with pytest.raises(DamagedStoreError, match=r"copy\.db is not a readable database"):
        RunStore(f"sqlite:///{tmp_path / 'copy.db'}").list_runs()
    assert (tmp_path / "copy.db").read_bytes() == damaged


def test_a_damaged_store_gives_no_backup_that_looks_good(tmp_path: Path, sqlite_url: str) -> None:
    store = RunStore(sqlite_url)
    dataset = add_dataset(store)
    for number in range(60):
        store.add_run(new_run(dataset, f"run {number}"))
    store.close()
    damage_deep_inside(tmp_path / "runs.db")
    with pytest.raises(DamagedStoreError, match="not a readable database"):
        care.back_up(sqlite_url, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []


def test_a_backup_put_back_beside_an_old_log_is_not_mixed_with_it(tmp_path: Path, sqlite_url: str) -> None:
    store = RunStore(sqlite_url)
    dataset = add_dataset(store)
    care.back_up(sqlite_url, tmp_path / "copy.db")
    reader = sqlite3.connect(tmp_path / "runs.db")
    reader.execute("BEGIN").execute("SELECT * FROM runs").fetchall()  # keeps the log where it is
    store.add_run(new_run(dataset))
    store.close()
    log = (tmp_path / "runs.db-wal").read_bytes()
    assert log
    reader.close()
    (tmp_path / "runs.db-wal").write_bytes(log)
    (tmp_path / "runs.db").write_bytes(whole := (tmp_path / "copy.db").read_bytes())
    for opened in (RunStore, care.check):
        with pytest.raises(
            StoreError, match=r"put back beside runs\.db-wal.*remove the files that end in -wal"
        ):
            opened(sqlite_url)
    assert (tmp_path / "runs.db").read_bytes() == whole
    assert (tmp_path / "runs.db-wal").read_bytes() == log
    (tmp_path / "runs.db-wal").unlink()
    (tmp_path / "runs.db-shm").unlink(missing_ok=True)
    assert RunStore(sqlite_url).list_runs() == []


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "runs.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (title TEXT)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match=r"belongs to another program.*'recipes'"):
        RunStore(sqlite_url)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    home = tmp_path / "file" / "home"
    with pytest.raises(StoreError, match=r"cannot be made \(Not a directory\); set MARSSEG_HOME"):
        RunStore.open(Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}"))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened for writing.*MARSSEG_HOME"):
        RunStore(f"sqlite:///{tmp_path / 'missing' / 'runs.db'}")


def test_a_store_that_can_only_be_read(tmp_path: Path, sqlite_url: str) -> None:
    store = RunStore(sqlite_url)
    dataset = add_dataset(store)
    read_only = RunStore(f"sqlite:///file:{tmp_path / 'runs.db'}?mode=ro&uri=true")
    assert read_only.list_datasets() == [dataset]
    with pytest.raises(StoreError, match=r"cannot be opened for writing.*MARSSEG_HOME"):
        read_only.rename_dataset(dataset.id, "new name")
    assert store.list_datasets() == [dataset]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; run as another user")
def test_a_folder_that_cannot_be_written(tmp_path: Path, sqlite_url: str) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="cannot be opened for writing"):
            RunStore(sqlite_url)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("runs.db", "no database URL"),
        ("", "no database URL"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:///file::memory:?uri=true", "must be a file"),
        ("sqlite:///file:shared?mode=memory&uri=true", "must be a file"),
        ("mysql://user:secret@host/lab", "'mysql' are not supported"),
        ("oracle://x", "'oracle' are not supported"),
        ("postgresql+nodriver://user:secret@127.0.0.1:1/lab", "postgresql"),
    ],
)
def test_urls_that_cannot_work(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence) as caught:
        RunStore(url)
    assert "secret" not in str(caught.value)
