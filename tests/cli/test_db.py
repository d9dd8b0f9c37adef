from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from marsseg.services import Lab
from marsseg.services import lab as lab_module
from marsseg.store.schema import HEAD
from tests.cli.conftest import Command, queue_run


def test_a_sound_store_is_called_so(marsseg: Command, home: Path) -> None:
    document = marsseg("db", "check", "--json").document
    assert document["database"] == str(home / "runs.db")
    assert document["revision"] == document["head"] == HEAD
    assert document["rows"]["datasets"] == 2
    assert (document["problems"], document["strays"]) == ([], [])
    assert "none" in marsseg("db", "check").out


def test_a_lost_network_is_a_problem_with_exit_status_1(marsseg: Command, lab: Lab, scored_run: str) -> None:
    (lab.settings.run_dir(scored_run) / "model.onnx").unlink()
    answer = marsseg("db", "check", "--json")
    assert answer.status == 1
    assert any(scored_run in problem and "model.onnx" in problem for problem in answer.document["problems"])


def test_strays_are_deleted_after_a_question_only(marsseg: Command, lab: Lab) -> None:
    known = lab.settings.run_dir(queue_run(lab).id)
    stray = lab.settings.runs_dir / "r-00000000"
    for folder in (known, stray):
        folder.mkdir()
        (folder / "log.txt").write_text("x" * 1000)
        for path in (folder / "log.txt", folder):
            os.utime(path, (10**9, 10**9))
    assert str(stray) in marsseg("db", "check").err
    refused = marsseg("db", "check", "--remove-strays", "--json")
    assert (refused.status, refused.out) == (2, "")  # nobody to ask
    assert str(stray) in refused.err
    assert stray.exists()
    document = marsseg("db", "check", "--remove-strays", "--yes", "--json").document
    assert document["removed"] == [{"path": str(stray), "bytes": 1000}]
    assert document["strays"] == []
    assert not stray.exists()
    assert known.exists()


def test_a_backup_is_a_store_of_its_own_and_overwrites_nothing(
    marsseg: Command, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "copy.db"
    document = marsseg("db", "backup", file, "--json").document
    assert document["bytes"] == file.stat().st_size
    with sqlite3.connect(file) as copy:
        assert copy.execute("SELECT count(*) FROM datasets").fetchone() == (2,)
    copy.close()
    again = marsseg("db", "backup", file)
    assert again.status == 2
    assert "already" in again.err


def test_a_backup_takes_no_name_that_sqlite_uses_itself(marsseg: Command, home: Path) -> None:
    answer = marsseg("db", "backup", home / "runs.db-shm")
    assert answer.status == 2
    assert "SQLite uses that name" in answer.err


def test_a_missing_table_is_a_problem_with_exit_status_1_and_queues_nothing(
    marsseg: Command, home: Path
) -> None:
    with closing(sqlite3.connect(home / "runs.db")) as connection:
        connection.execute("DROP TABLE evaluations")
        connection.commit()
        answer = marsseg("db", "check", "--json")
        assert answer.status == 1
        assert answer.document["problems"] == ["The table evaluations is missing; restore a backup."]
        refused = marsseg("train", "--preset", "quick")
        assert refused.status == 2
        assert "lacks a part of what the lab needs (the table evaluations)" in refused.err
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_vacuum_and_migrate_say_what_they_did(marsseg: Command) -> None:
    assert {"bytes_before", "bytes_after"} == set(marsseg("db", "vacuum", "--json").document)
    document = marsseg("db", "migrate", "--json").document
    assert document == {"before": HEAD, "after": HEAD, "backup": None}
    assert "up to date already" in marsseg("db", "migrate").out


def test_a_damaged_store_is_reported_and_left_alone(marsseg: Command, home: Path) -> None:
    for beside in home.glob("runs.db-*"):
        beside.unlink()
    (home / "runs.db").write_bytes(b"no database, " * 1000)
    before = (home / "runs.db").read_bytes()
    for command in ("check", "vacuum", "migrate"):
        answer = marsseg("db", command)
        assert answer.status == 2
        assert "not a readable database" in answer.err
    assert (home / "runs.db").read_bytes() == before


def test_a_home_without_a_store_says_so_and_makes_none(marsseg: Command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MARSSEG_HOME", str(tmp_path / "empty"))
    answer = marsseg("db", "check")
    assert answer.status == 2
    assert "There is no database" in answer.err
    assert not (tmp_path / "empty").exists()


def test_a_database_that_is_gone_is_not_made_anew_beside_its_runs(
    marsseg: Command, home: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = lab.settings.run_dir(queue_run(lab).id)
    run_dir.mkdir()
    lab.store.close()
    monkeypatch.setattr(lab_module, "_labs", {})
    (home / "runs.db").unlink()
    for command in (("runs", "list"), ("db", "check"), ("train", "--preset", "quick")):
        answer = marsseg(*command)
        assert answer.status == 2
        assert f"is missing, but runs have files in {run_dir.parent}. Put a backup in its place" in answer.err
    assert not (home / "runs.db").exists()
