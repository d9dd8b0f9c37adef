"""What a store says is on disk, read from tables of any revision without changing them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from marsseg.store.engine import Database
from marsseg.store.records import ACTIVE, RunStatus
from marsseg.store.schema import find_revision, refuse_unknown

_RUNS = "SELECT id, name, status FROM runs ORDER BY number"
_DATASETS = "SELECT sha256, name FROM datasets ORDER BY id"
_EVALUATIONS = "SELECT run_id, split, decoding FROM evaluations ORDER BY run_id, split, decoding"
_SAVED = "SELECT run_id, checkpoint FROM epochs WHERE checkpoint IS NOT NULL"
_LAST = f"{_SAVED} ORDER BY epoch"
_BEST = f"{_SAVED} AND val_terrain_miou IS NOT NULL ORDER BY val_terrain_miou, epoch DESC"
"""Of several rows of a run, the one that comes last is meant."""
_WITHOUT_CHECKPOINTS = "0001"


@dataclass(frozen=True, slots=True)
class KnownRun:
    """What must be in the folder of a run.

    Args:
        checkpoints: file names of what it would go on from, and of its best epoch, as far as recorded.
        evaluated: split and decoding of each of its evaluations.
        is_active: a worker may be changing its files right now.
        is_completed: it ended well, and so with an exported network.
    """

    id: str
    name: str
    checkpoints: tuple[str, ...]
    evaluated: tuple[tuple[str, str], ...]
    is_active: bool
    is_completed: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """All runs, oldest first, and the names of all datasets by their checksums."""

    runs: tuple[KnownRun, ...]
    datasets: dict[str, str]


def take_inventory(database: Database) -> Inventory:
    """Read what the runs and datasets of a store ought to have on disk; nothing where there are no tables.

    Raises:
        StoreError: the database is damaged, from a newer version, or another program's.
    """
    with database.read() as session:
        revision = find_revision(session.connection(), database.where)
        refuse_unknown(revision, database.where)
        if revision is None:
            return Inventory((), {})
        saved = {} if revision == _WITHOUT_CHECKPOINTS else _last_and_best(session)
        return Inventory(_known_runs(session, saved), _pairs(session, _DATASETS))


def _known_runs(session: Session, checkpoints: dict[str, tuple[str, ...]]) -> tuple[KnownRun, ...]:
    evaluated: dict[str, list[tuple[str, str]]] = {}
    for run_id, split, decoding in session.execute(text(_EVALUATIONS)):
        evaluated.setdefault(str(run_id), []).append((str(split), str(decoding)))
    return tuple(
        KnownRun(
            id=str(run_id),
            name=str(name),
            checkpoints=checkpoints.get(str(run_id), ()),
            evaluated=tuple(evaluated.get(str(run_id), ())),
            is_active=status in ACTIVE,
            is_completed=status == RunStatus.COMPLETED,
        )
        for run_id, name, status in session.execute(text(_RUNS))
    )


def _last_and_best(session: Session) -> dict[str, tuple[str, ...]]:
    """Names of each run's last checkpoint and of the one with the best score, the first of equal ones."""
    best = _pairs(session, _BEST)
    last = _pairs(session, _LAST)
    return {run_id: tuple(dict.fromkeys([name, best.get(run_id, name)])) for run_id, name in last.items()}


def _pairs(session: Session, query: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in session.execute(text(query))}
