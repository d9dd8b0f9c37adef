"""How the store's dearest queries grow with the number of runs, and what opening it costs.

    python benchmarks/store_scale.py [--many 10000] [--few 100]

Prints milliseconds (median of several calls) for a small and a large store, and their ratio. A query about
all runs may grow as they do; one with a limit should hardly grow at all.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from sqlalchemy import insert

from marsseg.config import RunConfig
from marsseg.settings import PROJECT_ROOT
from marsseg.store import RunStore
from marsseg.store.arrays import DECODINGS, SPLITS
from marsseg.store.converters import epoch_row, evaluation_row
from marsseg.store.records import ACTIVE, EpochRecord, EvaluationRecord, RunStatus
from marsseg.store.tables import Base, EpochRow, EvaluationRow, RunRow

EPOCHS = 20
TILES = 250
CHUNK = 500

OPEN = """
import sys, time
from marsseg.store import RunStore
begin = time.perf_counter()
RunStore(sys.argv[1]).version()
print((time.perf_counter() - begin) * 1000)
"""

QUERIES: dict[str, Callable[[RunStore], object]] = {
    "confusion_totals": lambda store: store.confusion_totals("test", "terrain_only"),
    "list_runs()": lambda store: store.list_runs(),
    "list_runs(limit=50)": lambda store: store.list_runs(limit=50),
    "list_runs(active)": lambda store: store.list_runs(statuses=ACTIVE),
    "list_epochs": lambda store: store.list_epochs("r-00000042"),
    "list_evaluations(2)": lambda store: store.list_evaluations(
        ["r-00000042", "r-00000007"], "test", "argmax"
    ),
    "find_run(name)": lambda store: store.find_run("run r-00000042"),
    "find_run(unknown)": lambda store: store.find_run("nobody"),
    "count_by_status": lambda store: store.count_by_status(),
    "version": lambda store: store.version(),
    "claim_next (none queued)": lambda store: store.claim_next(1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--few", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, many = (measure(Path(folder), count) for count in (arguments.few, arguments.many))
    print(f"{'milliseconds':26}{arguments.few:>10} runs{arguments.many:>10} runs{'ratio':>9}")
    for name, short in few.items():
        print(f"{name:26}{short:15.2f}{many[name]:15.2f}{many[name] / short:9.1f}")


def measure(folder: Path, count: int) -> dict[str, float]:
    """Milliseconds of every query on a store with so many runs, and of opening it in a new process."""
    url = f"sqlite:///{folder / f'{count}.db'}"
    store = RunStore(url)
    fill(store, count)
    times = {name: median_ms(query, store) for name, query in QUERIES.items()}
    store.close()
    opens = [
        float(subprocess.check_output([sys.executable, "-c", OPEN, url], cwd=PROJECT_ROOT)) for _ in range(3)
    ]
    return {"open, in a new process": statistics.median(opens), **times}


def median_ms(query: Callable[[RunStore], object], store: RunStore, repeats: int = 7) -> float:
    """Milliseconds of one call, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        query(store)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times[1:])


def fill(store: RunStore, count: int) -> None:
    """Finished runs with epochs and evaluations, in bulk: by a worker's own calls it would take an hour."""
    dataset = store.add_dataset("tiles", "0" * 64, "benchmark", {"outlier_groups": []})
    evaluations = [evaluation(split, decoding) for split in SPLITS for decoding in DECODINGS]
    epochs = [values(epoch_row("", epoch(number))) for number in range(1, EPOCHS + 1)]
    for start in range(0, count, CHUNK):
        ids = [f"r-{number:08d}" for number in range(start, min(start + CHUNK, count))]
        with store._database.write() as session:
            session.execute(
                insert(RunRow), [run(run_id, number, dataset.id) for number, run_id in enumerate(ids)]
            )
            for table, rows in ((EpochRow, epochs), (EvaluationRow, evaluations)):
                session.execute(insert(table), [{**row, "run_id": run_id} for run_id in ids for row in rows])


def run(run_id: str, seed: int, dataset_id: int) -> dict[str, Any]:
    """A completed run's columns."""
    config = RunConfig().with_values({"train.seed": seed, "name": f"run {run_id}"})
    row = RunRow(
        id=run_id,
        name=f"run {run_id}",
        status=RunStatus.COMPLETED,
        reason="All epochs done.",
        config=config.model_dump_json(),
        fingerprint="0123456789abcdef",
        seed=seed,
        dataset_id=dataset_id,
        dropped_rows=list(range(106)),
        priority=0,
        position=1,
        created_at=1.7e9,
        finished_at=1.7e9,
        train_seconds=50.0,
        class_weights=[0.0, 0.6, 0.8, 0.9, 12.5],
        provenance={"packages": {f"package-{number}": "1.2.3" for number in range(20)}},
        stop_requested=False,
        stop_now=False,
    )
    return {name: value for name, value in values(row).items() if name != "number"}


def epoch(number: int) -> EpochRecord:
    """An epoch's numbers."""
    return EpochRecord(number, 0.5, 0.6, 0.55, (0.0, 0.8, 0.8, 0.8, 0.2), 1e-4, 2.5, 40.0)


def evaluation(split: str, decoding: str) -> dict[str, Any]:
    """An evaluation's columns: tiles of two or three classes, mostly right, as on real terrain."""
    rng = np.random.default_rng(0)
    pixels = rng.multinomial(8_192, [0.1, 0.4, 0.3, 0.2], TILES) * (rng.random((TILES, 4)) < 0.6)
    confusions = np.zeros((TILES, 5, 5), dtype=np.int64)
    confusions[:, range(1, 5), range(1, 5)] = pixels * 8 // 10
    confusions[:, [1, 2, 3, 4], [2, 3, 1, 1]] = pixels * 2 // 10
    return values(evaluation_row(EvaluationRecord("", split, decoding, np.arange(TILES), confusions), 1.7e9))


def values(row: Base) -> dict[str, Any]:
    """A row's columns by name."""
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


if __name__ == "__main__":
    main()
