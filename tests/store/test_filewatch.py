"""What happens to the file under a store that is open: moved, replaced, full of noise, cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from marsseg.errors import DamagedStoreError, MovedStoreError
from marsseg.settings import PROJECT_ROOT
from marsseg.store import RunStore, care
from tests.store.building import add_dataset, queue_runs
from tests.support.files import contents

MOVED = r"runs\.db was moved, removed or replaced while this process was running.*restart the app"
DAMAGED = r"runs\.db is not a readable database and is not written to any more"


def move_away(file: Path) -> None:
    file.rename(file.with_name("aside.db"))


def replace_by_another(file: Path) -> None:
    other = file.with_name("other.db")
    RunStore(f"sqlite:///{other}").close()
    other.replace(file)


def replace_by_a_copy(file: Path) -> None:
    shutil.copy(file, file.with_name("copy.db"))
    file.with_name("copy.db").replace(file)


def move_the_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("aside"))


def overwrite_the_beginning(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"\xa5" * 10_000)


def overwrite_what_follows(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4_096)
        opened.write(b"\xa5" * (file.stat().st_size - 4_096))


def empty(file: Path) -> None:
    os.truncate(file, 0)


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(home: Path) -> Iterator[RunStore]:
    """A store with ten runs in its file and ten more in its log, whose connection is used again."""
    url = f"sqlite:///{home / 'runs.db'}"
    with closing(RunStore(url)) as store:
        dataset = add_dataset(store)
        queue_runs(store, dataset, [f"run {number}" for number in range(10)])
        care.vacuum(url)
        queue_runs(store, dataset, [f"run {number}" for number in range(10, 20)])
        yield store


def add_one(store: RunStore) -> None:
    store.pause_queue()


@pytest.mark.parametrize(
    "move", [move_away, replace_by_another, replace_by_a_copy, move_the_folder, Path.unlink]
)
@pytest.mark.parametrize("use", [add_one, RunStore.list_runs], ids=["write", "read"])
def test_a_file_that_was_moved_is_neither_written_nor_read_on(
    opened: RunStore, home: Path, move: Callable[[Path], None], use: Callable[[RunStore], object]
) -> None:
    move(home / "runs.db")
    with pytest.raises(MovedStoreError, match=MOVED):
        use(opened)


def test_closing_writes_nothing_into_what_was_moved_or_took_its_place(opened: RunStore, home: Path) -> None:
    before = (home / "runs.db").read_bytes()
    replace_by_another(home / "runs.db")
    found = (home / "runs.db").read_bytes()
    with pytest.raises(MovedStoreError):
        add_one(opened)
    opened.close()
    assert (home / "runs.db").read_bytes() == found != before


def test_no_copy_is_made_of_a_file_that_was_moved(opened: RunStore, home: Path, tmp_path: Path) -> None:
    move_away(home / "runs.db")
    with pytest.raises(MovedStoreError, match=MOVED):
        opened._database.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_file_that_comes_back_is_the_same(opened: RunStore, home: Path) -> None:
    move_away(home / "runs.db")
    with pytest.raises(MovedStoreError):
        add_one(opened)
    (home / "aside.db").rename(home / "runs.db")
    add_one(opened)
    assert opened.is_queue_paused()


def test_a_store_that_was_closed_in_between_may_open_another_file(opened: RunStore, home: Path) -> None:
    opened.close()
    replace_by_another(home / "runs.db")
    assert opened.list_runs() == []


@pytest.mark.parametrize("move", [move_away, replace_by_another])
def test_another_connection_neither_takes_the_new_file_nor_makes_one(
    opened: RunStore, home: Path, move: Callable[[Path], None]
) -> None:
    with opened._database.read() as session:
        session.connection()  # keeps the one connection that was there
        move(home / "runs.db")
        with pytest.raises(MovedStoreError, match=MOVED):
            opened.list_runs()
    assert (home / "runs.db").exists() == (move is not move_away)


def test_care_keeps_the_file(opened: RunStore, home: Path) -> None:
    """Compacting, copying, and a copy written over it byte by byte leave the file what it is."""
    url = f"sqlite:///{home / 'runs.db'}"
    care.vacuum(url)
    care.back_up(url, home / "copy.db")
    add_one(opened)
    opened.close()
    shutil.copyfile(home / "copy.db", home / "runs.db")
    assert not opened.is_queue_paused()


@pytest.mark.parametrize("damage", [overwrite_the_beginning, empty, cut_off])
@pytest.mark.parametrize("use", [add_one, RunStore.list_runs], ids=["write", "read"])
def test_damage_under_an_open_store_is_seen_and_nothing_is_written_on(
    opened: RunStore, home: Path, damage: Callable[[Path], None], use: Callable[[RunStore], object]
) -> None:
    damage(home / "runs.db")
    before = contents(home)
    assert before["runs.db-wal"]
    with pytest.raises(DamagedStoreError, match=DAMAGED):
        use(opened)
    opened.close()
    assert contents(home) == before


def test_damage_that_nobody_met_is_not_written_into_at_the_end(opened: RunStore, home: Path) -> None:
    overwrite_the_beginning(home / "runs.db")
    before = contents(home)
    opened.close()
    assert contents(home) == before


def test_damage_that_sqlite_met_is_not_written_into_at_the_end(opened: RunStore, home: Path) -> None:
    opened.close()
    opened.list_events()
    queue_runs(opened, opened.list_datasets()[0], ["one more"])
    opened._database.engine.dispose()  # what it remembers of the file
    add_one(opened)
    overwrite_what_follows(home / "runs.db")
    before = contents(home)
    with pytest.raises(DamagedStoreError, match=DAMAGED):
        opened.list_evaluations([run.id for run in opened.list_runs()], "test", "argmax")
    opened.close()
    assert contents(home) == before


def test_a_process_that_just_ends_writes_nothing_into_a_damaged_file(home: Path, tmp_path: Path) -> None:
    script = f"""
import shutil
from tests.store.test_filewatch import *
home = Path({str(home)!r})
store = RunStore(f"sqlite:///{{home / 'runs.db'}}")
queue_runs(store, add_dataset(store), "abc")
overwrite_the_beginning(home / "runs.db")
shutil.copytree(home, {str(tmp_path / "before")!r})
"""
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, check=True)
    before = contents(tmp_path / "before")
    assert before["runs.db-wal"]
    assert contents(home) == before


def test_a_file_whose_first_page_alone_was_written_back_is_sound(opened: RunStore, home: Path) -> None:
    """As in the middle of another process' checkpoint: the page that counts comes before those it counts."""
    file = home / "runs.db"
    with opened._database.read() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar()
    assert pages * 4_096 > file.stat().st_size
    with file.open("r+b") as opened_file:
        opened_file.seek(28)
        opened_file.write(pages.to_bytes(4, "big"))
    add_one(opened)
    assert len(opened.list_runs()) == 20


def test_looking_at_a_file_leaves_the_locks_of_others_in_this_process(home: Path) -> None:
    """Whoever closes a file drops all its locks: then another process could throw the log away."""
    url = f"sqlite:///{home / 'runs.db'}"
    with closing(RunStore(url)) as store:
        queue_runs(store, add_dataset(store), "abc")
        RunStore(url).close()
        look = f"from marsseg.store import RunStore; RunStore({url!r}).close()"
        subprocess.run([sys.executable, "-c", look], cwd=PROJECT_ROOT, check=True)
        assert (home / "runs.db-wal").stat().st_size > 0
        assert len(store.list_runs()) == 3
