from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from marsseg import services
from marsseg.errors import StoreError
from marsseg.services.lab import Lab
from marsseg.settings import Settings
from marsseg.store.records import RunRecord, RunStatus
from marsseg.store.schema import HEAD
from tests.inference.conftest import METADATA, brightness_weights, write_network
from tests.store.building import epoch
from tests.store.old_stores import fill_0001, make_store
from tests.support.labs import config, finish_run, queue_run, start_run

LONG_AGO = time.time() - 48 * 3600


@pytest.fixture
def run(lab: Lab) -> RunRecord:
    """A completed run with a checkpoint and a network, as a worker leaves it."""
    done = finish_run(lab, config(), name="whole", epochs=0)
    lab.store.delete_runs([done.id])
    queued = queue_run(lab, config(), "whole")
    lab.settings.run_dir(done.id).rename(lab.settings.run_dir(queued.id))
    _, token = start_run(lab, queued.id)
    lab.store.add_epoch(queued.id, token, epoch(1, checkpoint="epoch-0001.npz"))
    lab.store.add_epoch(queued.id, token, epoch(2, checkpoint="epoch-0002.npz", val_terrain_miou=0.5))
    lab.store.finish(queued.id, token, RunStatus.COMPLETED, "2 epochs", best_epoch=2)
    save_checkpoint(lab, queued.id, "epoch-0002.npz")
    write(lab.settings.run_dir(queued.id) / "model.onnx")
    return lab.store.get_run(queued.id)


def write(path: Path, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def save_checkpoint(lab: Lab, run_id: str, name: str) -> None:
    """An archive of arrays, as checkpoints are."""
    folder = services.checkpoints_dir(lab, run_id)
    folder.mkdir(exist_ok=True)
    np.savez(folder / name, weights=np.arange(1000.0))


def age(folder: Path) -> Path:
    """As if nobody had touched it for two days."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def test_a_lab_in_order_has_no_problems_and_no_strays(lab: Lab, run: RunRecord) -> None:
    health = services.check_lab(lab.settings)
    assert health.problems == ()
    assert health.strays == ()
    assert health.store.rows["runs"] == 1


def test_what_a_run_speaks_of_and_lacks_is_told(lab: Lab) -> None:
    run = finish_run(lab, config(), name="bare")
    folder = lab.settings.run_dir(run.id)
    (folder / "predictions" / "test_argmax.npy").unlink()
    assert services.check_lab(lab.settings).problems == (
        f"Run {run.id} (“bare”) has lost its network model.onnx, or it is damaged: it cannot segment images.",
        f"Run {run.id} (“bare”) has lost its test predictions (argmax), or they are damaged: its masks "
        "cannot be shown.",
    )
    write(folder / "model.onnx")
    shutil.rmtree(folder / "predictions")
    assert len(services.check_lab(lab.settings).missing) == 4


def test_the_last_checkpoint_must_be_there_earlier_ones_need_not(lab: Lab, run: RunRecord) -> None:
    (lab.settings.run_dir(run.id) / "checkpoints" / "epoch-0002.npz").unlink()
    save_checkpoint(lab, run.id, "epoch-0001.npz")
    (sentence,) = services.check_lab(lab.settings).missing
    assert sentence.startswith(f"Run {run.id} (“whole”) has lost its checkpoint epoch-0002.npz")
    assert "goes on from what is left" in sentence


def test_the_best_checkpoint_must_be_there_too(lab: Lab, run: RunRecord) -> None:
    lab.store.extend_run(run.id, 1)
    _, token = start_run(lab, run.id)
    lab.store.add_epoch(run.id, token, epoch(3, checkpoint="epoch-0003.npz", val_terrain_miou=0.1))
    lab.store.finish(run.id, token, RunStatus.COMPLETED, "3 epochs", best_epoch=2)
    save_checkpoint(lab, run.id, "epoch-0003.npz")
    assert services.check_lab(lab.settings).problems == ()
    (services.checkpoints_dir(lab, run.id) / "epoch-0002.npz").unlink()
    (sentence,) = services.check_lab(lab.settings).missing
    assert "has lost its checkpoint epoch-0002.npz" in sentence


@pytest.mark.parametrize("part", ["garbage", "half", "one byte"])
def test_a_checkpoint_that_cannot_be_read_is_told(lab: Lab, run: RunRecord, part: str) -> None:
    path = services.checkpoints_dir(lab, run.id) / "epoch-0002.npz"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(
        {"garbage": b"garbage", "half": whole[: len(whole) // 2], "one byte": bytes(flipped)}[part]
    )
    (sentence,) = services.check_lab(lab.settings).missing
    assert "epoch-0002.npz, or it is damaged" in sentence


@pytest.mark.parametrize("name", ["model.onnx", "predictions/test_argmax.npy", "split.npz"])
@pytest.mark.parametrize("content", [b"", b"junk", None], ids=["empty", "junk", "cut short"])
def test_a_damaged_file_is_as_good_as_lost(lab: Lab, name: str, content: bytes | None) -> None:
    folder = lab.settings.run_dir(finish_run(lab, config()).id)
    write_network(folder / "model.onnx", *brightness_weights(), METADATA, 8)
    assert services.check_lab(lab.settings).problems == ()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    (sentence,) = services.check_lab(lab.settings).missing
    assert "damaged" in sentence


def test_files_of_a_run_at_work_are_its_own_business(lab: Lab) -> None:
    queued = queue_run(lab, config())
    _, token = start_run(lab, queued.id)
    lab.store.add_epoch(queued.id, token, epoch(1, checkpoint="epoch-0001.npz"))
    assert services.check_lab(lab.settings).problems == ()
    lab.store.mark_lost(queued.id, token, "It vanished.")
    assert len(services.check_lab(lab.settings).problems) == 1


def test_a_dataset_that_is_gone_or_damaged_is_told(lab: Lab) -> None:
    folder = lab.settings.datasets_dir / services.list_datasets(lab)[0].sha256
    (folder / "masks.npy").write_bytes(b"")
    (problem,) = services.check_lab(lab.settings).problems
    assert problem.startswith("Dataset “bands”: ")
    assert "incomplete or damaged" in problem
    shutil.rmtree(folder)
    (problem,) = services.check_lab(lab.settings).problems
    assert "is gone; add it again from its source" in problem


def test_strays_are_found_with_their_bytes_and_removed_alone(lab: Lab, run: RunRecord) -> None:
    kept = [
        write(lab.settings.runs_dir / "my notes" / "plan.txt"),
        age(write(lab.settings.runs_dir / "r-UPPER123" / "x")),
        write(lab.settings.run_dir("r-11111111") / "log.txt"),
        write(lab.settings.datasets_dir / ".import-young" / "images.npy"),
        write(lab.settings.run_dir(run.id) / ".model.onnx.77.tmp"),
        write(lab.settings.run_dir(run.id) / ".model.onnx.young000.tmp" / "raw.onnx").parent,
        age(write(lab.settings.home / ".runs.db.0001.backup.78.tmp" / "mine").parent),
        age(write(lab.settings.home / ".hidden.tmp")),
        age(write(lab.settings.home / ".tmp.hidden")),
        age(write(lab.settings.run_dir(run.id) / ".nfs0001")),
    ]
    strays = {
        age(write(lab.settings.run_dir("r-00000000") / "log.txt", 30).parent): 30,
        age(write(lab.settings.datasets_dir / ".import-old" / "images.npy", 20).parent): 20,
        age(write(lab.settings.run_dir(run.id) / "checkpoints" / ".epoch-0003.npz.77.tmp", 5)): 5,
        age(write(lab.settings.run_dir(run.id) / ".tmp.model.onnx", 6)): 6,
        age(write(lab.settings.run_dir(run.id) / ".model.onnx.ab12cd34.tmp" / "raw.onnx", 8).parent): 8,
        age(write(lab.settings.home / ".runs.db.0001.backup.77.tmp", 7)): 7,
    }
    health = services.check_lab(lab.settings)
    assert {stray.path: stray.bytes for stray in health.strays} == strays
    assert health.problems == (), "what takes space only is no problem"
    assert {stray.path for stray in services.remove_strays(lab.settings)} == set(strays)
    assert not any(path.exists() for path in strays)
    assert all(path.exists() for path in kept)
    assert (lab.settings.run_dir(run.id) / "model.onnx").exists()
    assert services.check_lab(lab.settings).strays == ()


def test_an_import_under_way_is_no_stray(lab: Lab) -> None:
    """Its folder is old, but what is in it grows."""
    folder = age(write(lab.settings.datasets_dir / ".import-slow" / "counts.npy").parent)
    write(folder / "images.npy")
    os.utime(folder, (LONG_AGO, LONG_AGO))
    assert services.check_lab(lab.settings).strays == ()
    assert services.remove_strays(lab.settings) == ()
    assert (folder / "images.npy").exists()


def test_a_link_among_the_runs_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    precious = write(tmp_path / "precious" / "file").parent
    (lab.settings.runs_dir / "r-11111111").symlink_to(precious)
    assert services.remove_strays(lab.settings) == ()
    assert (precious / "file").exists()


def test_a_database_without_tables_or_with_damage_speaks_against_no_file(tmp_path: Path, lab: Lab) -> None:
    folder = write(lab.settings.run_dir("r-00000000") / "log.txt").parent
    sqlite3.connect(tmp_path / "blank.db").close()
    (tmp_path / "blank.db").touch()
    blank = Settings(home=lab.settings.home, database_url=f"sqlite:///{tmp_path / 'blank.db'}")
    with pytest.raises(StoreError, match=r"blank\.db is empty, but runs have files in .*move the folder"):
        services.remove_strays(blank)
    lab.store.close()
    with closing(sqlite3.connect(lab.settings.home / "runs.db")) as connection:
        connection.execute("DELETE FROM datasets")
        connection.execute("INSERT INTO epochs (run_id, epoch, val_class_iou) VALUES ('r-gone', 1, '[]')")
        connection.commit()
    assert services.check_lab(lab.settings).problems == (
        "Row 1 of epochs refers to something that is not in runs.",
    )
    assert services.remove_strays(lab.settings) == ()
    assert folder.exists()


def test_a_lab_of_the_first_version_is_checked_without_an_upgrade(settings: Settings) -> None:
    make_store(settings.database_url, "0001")
    fill_0001(settings.database_url)
    health = services.check_lab(settings)
    assert health.store.revision == "0001"
    assert "Run r-completed (“was completed”) has lost its network" in "".join(health.problems)
    assert "checkpoint" not in "".join(health.problems)
    assert [path.name for path in settings.home.iterdir()] == ["runs.db"]


def test_a_first_version_s_checkpoints_are_looked_for_once_it_is_upgraded(settings: Settings) -> None:
    make_store(settings.database_url, "0001")
    fill_0001(settings.database_url)
    upgrade = services.migrate_store(settings)
    assert (upgrade.before, upgrade.after) == ("0001", HEAD)
    assert upgrade.backup == settings.home / "runs.db.0001.backup"
    lost = [problem for problem in services.check_lab(settings).problems if "epoch-1234.npz" in problem]
    assert len(lost) == len([status for status in RunStatus if not status.is_active])


def test_a_backup_has_a_size_and_space_is_given_back(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    assert services.back_up_store(lab.settings, file) == file.stat().st_size > 0
    before, after = services.vacuum_store(lab.settings)
    assert before is not None
    assert after is not None
    assert 0 < after <= before


def test_without_a_database_there_is_nothing_to_look_after(settings: Settings, tmp_path: Path) -> None:
    for use in (
        services.check_lab,
        services.remove_strays,
        services.vacuum_store,
        services.migrate_store,
        lambda s: services.back_up_store(s, tmp_path / "copy.db"),
    ):
        with pytest.raises(StoreError, match="There is no database"):
            use(settings)
    assert list(settings.home.iterdir()) == []
