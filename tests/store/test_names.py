"""Texts typed by people are text: never markup, never a pattern, in any script."""

from __future__ import annotations

import pytest

from marsseg.errors import ConfigError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, RunStatus
from tests.store.building import new_run, start_run

HARMLESS = [
    "<script>alert(1)</script>",
    "**bold** :red[x] $x^2$ [link](http://example.org)",
    "'; DROP TABLE runs; --",
    "火星の岩 🪨 Ω≈ç√ ñandú",
    "مرحبا",
    "%_\\",
    "r-",
    "👩‍🚀",
    "x" * 200,
]


@pytest.mark.parametrize("name", HARMLESS)
def test_names_come_back_letter_by_letter(store: RunStore, dataset: DatasetRecord, name: str) -> None:
    run = store.add_run(new_run(dataset, "plain"))
    assert store.rename_run(run.id, name).name == name
    assert store.add_run(new_run(dataset, name)).name == name
    assert store.rename_dataset(dataset.id, name).name == name
    assert store.get_dataset(name).id == dataset.id
    assert any(name in event.message for event in store.list_events())


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("  two\n lines\t", "two lines"), ("a\x00b", "a b"), ("a\ud800b", "a b"), ("a\u202eb", "a b")],
)
def test_control_characters_and_spaces_are_tidied(
    store: RunStore, dataset: DatasetRecord, typed: str, kept: str
) -> None:
    assert store.add_run(new_run(dataset, typed)).name == kept


@pytest.mark.parametrize("name", ["", "   ", "\n\x00", "x" * 201])
def test_empty_and_overlong_names_are_refused(store: RunStore, dataset: DatasetRecord, name: str) -> None:
    run = store.add_run(new_run(dataset))
    for refused in (
        lambda: store.add_run(new_run(dataset, name)),
        lambda: store.rename_run(run.id, name),
        lambda: store.rename_dataset(dataset.id, name),
    ):
        with pytest.raises(ConfigError, match="1 to 200 visible characters"):
            refused()
    assert [found.name for found in store.list_runs()] == ["baseline"]


def test_a_reason_from_a_broken_log_can_be_kept(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.finish(run_id, token, RunStatus.FAILED, "bad bytes \x00 \udcff end")
    assert store.get_run(run_id).reason == "bad bytes � ? end"
