"""Epochs and evaluations: exact, idempotent, compact."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, func, select

from marsseg.errors import StoreError
from marsseg.metrics import DECODINGS, SPLITS
from marsseg.store import RunStore, arrays
from marsseg.store.records import DatasetRecord
from marsseg.store.tables import EvaluationRow
from tests.store.building import epoch, evaluation, start_run


def test_epochs_come_back_in_order_and_bit_for_bit(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    written = [epoch(2, loss=0.1 + 0.2), epoch(1, val_class_iou=(0.1, 0.2, 0.3, 0.4, 1 / 3)), epoch(3)]
    for record in written:
        store.add_epoch(run_id, token, record)
    found = store.list_epochs(run_id)
    assert [record.epoch for record in found] == [1, 2, 3]
    assert found[0] == written[1]
    assert found[1].loss == 0.1 + 0.2
    assert math.isnan(found[2].val_class_iou[0])
    assert found[2].val_class_iou[1:] == (0.5, 0.6, 0.7, 0.1)


def test_what_could_not_be_measured_is_nan(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_epoch(run_id, token, epoch(1, loss=math.nan, val_loss=math.inf, val_terrain_miou=math.nan))
    (found,) = store.list_epochs(run_id)
    assert math.isnan(found.loss)
    assert math.isnan(found.val_terrain_miou)
    assert found.val_loss == math.inf


def test_numpy_numbers_are_accepted(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    values = {"loss": np.float32(0.5), "val_class_iou": tuple(np.full(5, 0.25, np.float32))}
    store.add_epoch(run_id, token, epoch(1, **values))
    assert store.list_epochs(run_id)[0].loss == 0.5
    assert store.list_epochs(run_id)[0].val_class_iou == (0.25,) * 5


def test_a_repeated_epoch_replaces_the_first(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    for number in (1, 2, 3):
        store.add_epoch(run_id, token, epoch(number, seconds=10.0))
    store.add_epoch(run_id, token, epoch(3, seconds=4.0, loss=0.125))
    found = store.list_epochs(run_id)
    assert [(record.epoch, record.seconds) for record in found] == [(1, 10.0), (2, 10.0), (3, 4.0)]
    assert found[2].loss == 0.125
    assert store.get_run(run_id).train_seconds == 24.0


def test_evaluations_come_back_exactly(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    written = evaluation(run_id, images=31)
    store.add_evaluation(token, written)
    (found,) = store.list_evaluations([run_id], "test", "argmax")
    assert (found.run_id, found.split, found.decoding) == (run_id, "test", "argmax")
    for name in ("rows", "confusions"):
        values = getattr(found, name)
        assert values.dtype == np.int64
        np.testing.assert_array_equal(values, getattr(written, name))


def test_totals_are_the_sums(store: RunStore, dataset: DatasetRecord) -> None:
    expected = {}
    for seed in range(3):
        run_id, token = start_run(store, dataset)
        record = evaluation(run_id, images=seed, seed=seed)
        store.add_evaluation(token, record)
        store.add_evaluation(token, evaluation(run_id, seed=9, decoding="terrain_only"))
        store.add_evaluation(token, evaluation(run_id, seed=9, split="validation"))
        expected[run_id] = [
            [sum(int(image[t][p]) for image in record.confusions) for p in range(5)] for t in range(5)
        ]
    totals = store.confusion_totals("test", "argmax")
    assert {run_id: total.tolist() for run_id, total in totals.items()} == expected
    assert all(total.dtype == np.int64 for total in totals.values())
    assert store.confusion_totals("validation", "terrain_only") == {}


def test_totals_are_one_query_answered_by_the_index(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_evaluation(token, evaluation(run_id))
    statements: list[str] = []
    engine = store._database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    store.confusion_totals("test", "argmax")
    (query,) = [text for text in statements if text.startswith("SELECT")]
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("test", "argmax")).all()
        assert "COVERING INDEX ix_evaluations_totals" in str(plan)


def test_a_repeated_evaluation_replaces_the_first(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    for seed in (1, 2):
        store.add_evaluation(token, evaluation(run_id, seed=seed))
    (found,) = store.list_evaluations([run_id], "test", "argmax")
    np.testing.assert_array_equal(found.confusions, evaluation(run_id, seed=2).confusions)


def test_listed_in_the_order_asked_for(store: RunStore, dataset: DatasetRecord) -> None:
    ids = []
    for _ in range(3):
        run_id, token = start_run(store, dataset)
        store.add_evaluation(token, evaluation(run_id))
        ids.append(run_id)
    without, _ = start_run(store, dataset)
    asked = [ids[2], without, ids[0], ids[2]]
    assert [found.run_id for found in store.list_evaluations(asked, "test", "argmax")] == [ids[2], ids[0]]
    assert store.list_evaluations([], "test", "argmax") == []


def test_realistic_matrices_take_a_tenth_of_their_size(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    rng = np.random.default_rng(0)
    pixels = rng.multinomial(8_192, [0.3, 0.3, 0.2, 0.19, 0.01], 250)  # images hold few classes, mostly right
    confusions = np.zeros((250, 5, 5), dtype=np.int64)
    for image, counts in zip(confusions, pixels, strict=True):
        image[np.diag_indices(5)] = counts * 9 // 10
        image[0, 1:] = counts[1:] // 10
    store.add_evaluation(token, evaluation(run_id, confusions=confusions, images=250))
    with store._database.read() as session:
        size = session.scalar(select(func.length(EvaluationRow.confusions)))
    assert size is not None
    assert size < confusions.nbytes / 10


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"split": "train"}, "'train'"),
        ({"decoding": "softmax"}, "'softmax'"),
        ({"confusions": np.zeros((6, 5, 5), np.int64)}, r"\(7,\) and \(6, 5, 5\)"),
        ({"confusions": np.zeros((7, 4, 4), np.int64)}, r"\(7, 4, 4\)"),
        ({"rows": np.zeros((7, 1), np.int64)}, r"\(7, 1\)"),
        ({"confusions": np.zeros((7, 5, 5))}, "float64"),
        ({"confusions": np.full((7, 5, 5), -1)}, "whole numbers from 0"),
    ],
)
def test_what_cannot_be_read_back_is_refused(
    store: RunStore, dataset: DatasetRecord, values: dict[str, Any], sentence: str
) -> None:
    run_id, token = start_run(store, dataset)
    with pytest.raises(StoreError, match=sentence):
        store.add_evaluation(token, dataclasses.replace(evaluation(run_id), **values))
    assert store.confusion_totals("test", "argmax") == {}


def test_unknown_kinds_are_refused_when_reading(store: RunStore) -> None:
    with pytest.raises(StoreError, match="validation and test"):
        store.confusion_totals("testing", "argmax")
    with pytest.raises(StoreError, match="'beam'"):
        store.list_evaluations([], "test", "beam")


def test_damaged_content_is_reported(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_evaluation(token, evaluation(run_id))
    with store._database.write() as session:
        session.query(EvaluationRow).update({"confusions": b"x\x9c no npy"})
    with pytest.raises(StoreError, match="damaged"):
        store.list_evaluations([run_id], "test", "argmax")


def test_kinds_are_those_of_the_metrics() -> None:
    assert (arrays.SPLITS, arrays.DECODINGS) == (SPLITS, DECODINGS)


@pytest.mark.parametrize("largest", [0, 255, 256, 8_192, 70_000, 2**40])
def test_packing_keeps_every_number(largest: int) -> None:
    values = np.array([[0, largest]], dtype=np.int64)
    found = arrays.unpack(arrays.pack(values))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, values)
