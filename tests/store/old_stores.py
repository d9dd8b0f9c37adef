"""Stores as earlier versions of the lab left them: made by the migrations of then, filled with plain SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from alembic import command
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.orm import Session

from marsseg.config import RunConfig
from marsseg.store.arrays import pack, pack_total
from marsseg.store.engine import Database
from marsseg.store.records import RunStatus
from marsseg.store.schema import alembic_config, migrate_to
from tests.store.building import OUTLIERS, sha_of

LAUNCHES = {"queued": 0, "starting": 1, "running": 1, "stopping": 1, "completed": 2, "stopped": 1}
"""How often the runs of `fill_0001` were launched; those in other states once."""

_DATASET = """
INSERT INTO datasets (id, name, sha256, source, created_at, meta, kept_groups)
VALUES (1, 'tiles', :sha256, '/data/tiles.npz', 1700000000.0, :meta, '["a1"]')
"""
_RUN = """
INSERT INTO runs (number, id, name, status, reason, config, fingerprint, seed, dataset_id, dropped_rows,
                  priority, position, created_at, stop_requested, stop_now, provenance, token)
VALUES (:number, :id, :name, :status, '', :config, 'f0', 0, 1, '[1, 9]',
        2, :number, 1700000001.0, :no, :no, '{"git_commit": "abc"}', :token)
"""
_EPOCH = """
INSERT INTO epochs (run_id, epoch, loss, val_class_iou, seconds)
VALUES (:run_id, :epoch, 0.5, '[null, 0.1, 0.2, 0.3, 0.4]', 2.0)
"""
_EVALUATION = """
INSERT INTO evaluations (run_id, split, decoding, created_at, total, rows, confusions)
VALUES (:run_id, 'test', 'argmax', 1700000002.0, :total, :rows, :confusions)
"""
_EVENT = "INSERT INTO events (at, kind, message, run_id) VALUES (1700000003.0, :kind, :message, :run_id)"


def make_store(url: str, revision: str) -> None:
    """The empty tables of a revision, in the state in which its lab worked with them."""
    database = Database(url)
    if database.is_sqlite:
        database.use_write_ahead_log()
    with database.migrate() as connection:
        migrate_to(revision, connection)
    database.close()


def fill_0001(url: str) -> None:
    """A dataset, and a run `r-STATE` in each state with three epochs, events and an evaluation."""
    database = Database(url)
    meta = json.dumps({"pairs": 20, "outlier_groups": OUTLIERS})
    with database.write() as session:
        session.execute(text(_DATASET), {"sha256": sha_of("tiles"), "meta": meta})
        for number, status in enumerate(RunStatus, start=1):
            _add_run(session, number, status)
    database.close()


def _add_run(session: Session, number: int, status: RunStatus) -> None:
    run_id = f"r-{status}"
    values = {
        "number": number,
        "id": run_id,
        "name": f"was {status}",
        "status": str(status),
        "config": RunConfig().model_dump_json(),
        "token": None if status is RunStatus.QUEUED else "t0",
        "no": False,
    }
    session.execute(text(_RUN), values)
    for epoch in (1, 9, 10, 1234):
        session.execute(text(_EPOCH), {"run_id": run_id, "epoch": epoch})
    session.execute(text(_EVALUATION), {"run_id": run_id, **evaluation_of(number)})
    for kind in ["queued", *["starting"] * LAUNCHES.get(status, 1)]:
        session.execute(text(_EVENT), {"kind": kind, "message": "It happened.", "run_id": run_id})


def evaluation_of(number: int) -> Mapping[str, Any]:
    """Packed matrices of two images, all of whose counts are `number`."""
    confusions = np.full((2, 5, 5), number, np.int64)
    return {
        "total": pack_total(confusions),
        "rows": pack(np.array([3, 4], np.int64)),
        "confusions": pack(confusions),
    }


def downgrade(url: str, revision: str) -> None:
    """Take the tables back to an earlier revision."""
    database = Database(url)
    with database.migrate() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    database.close()


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    database = Database(url)
    metadata = MetaData()
    with database.read() as session:
        metadata.reflect(session.connection())
        found = {
            table.name: sorted((tuple(map(repr, row)) for row in session.execute(table.select())), key=str)
            for table in metadata.sorted_tables
        }
    database.close()
    return found


def shapes(url: str) -> dict[str, Any]:
    """Columns, indexes and keys of all tables, by name."""
    database = Database(url)
    with database.read() as session:
        look = inspect(session.connection())
        found = {
            name: {
                "columns": [
                    (c["name"], repr(c["type"]), c["nullable"], c["default"]) for c in look.get_columns(name)
                ],
                "indexes": sorted((i["name"] or "", i["column_names"]) for i in look.get_indexes(name)),
                "primary key": look.get_pk_constraint(name),
                "foreign keys": sorted(look.get_foreign_keys(name), key=str),
                "unique": sorted(look.get_unique_constraints(name), key=str),
            }
            for name in look.get_table_names()
        }
    database.close()
    return found
