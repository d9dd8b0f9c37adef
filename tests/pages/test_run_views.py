"""One run on show: its masks over epochs, and its configuration."""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np
import pytest

from marsseg import services
from marsseg.presets import PRESETS
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord
from marsseg.ui import text
from tests.pages.driver import open_page, viewers, words
from tests.pages.test_run_detail import view
from tests.support.labs import queue_run


@pytest.fixture
def done(scored: Lab) -> RunRecord:
    """The newest of the runs with scores."""
    return services.list_runs(scored)[0]


def test_masks_over_epochs_are_packed_anew_only_when_an_epoch_was_added(
    scored: Lab, done: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = 0
    compress = zlib.compress

    def counted(*arguments: Any) -> bytes:
        nonlocal packed
        packed += 1
        return compress(*arguments)

    monkeypatch.setattr(zlib, "compress", counted)
    app = view(open_page("runs", run=done.id), "Masks over epochs")
    first, packed = packed, 0
    sent = viewers(app.run())[0]
    assert (first > 0, packed) == (True, 0)
    folder = scored.settings.run_dir(done.id) / "previews"
    np.save(folder / "epoch-0004.npy", np.load(folder / "epoch-0003.npy"))
    added = viewers(app.run())[0]
    assert added["timeline"]["labels"] == [0, 1, 2, 3, 4]
    np.save(folder / "epoch-0004.npy", np.load(folder / "epoch-0000.npy"))
    os.utime(folder / "epoch-0004.npy", (2e9, 2e9))
    assert len({shown["version"] for shown in (sent, added, viewers(app.run())[0])}) == 3


def test_a_configuration_is_compared_with_the_preset_it_is_most_like(lab: Lab) -> None:
    ladder = PRESETS["ladder-3"].config
    run = queue_run(lab, ladder.with_values({"data.dataset": "bands", "train.seed": 5, "train.epochs": 7}))
    app = view(open_page("runs", run=run.id), "Configuration")
    title = text.markdown(PRESETS["ladder-3"].title)
    assert f"What differs from the preset {title}" in words(app)
    shown = app.table[0].value
    assert shown.to_numpy().tolist() == [["Epochs", "7", "200"]]


def test_a_preset_as_it_stands_differs_in_nothing(lab: Lab) -> None:
    run = queue_run(lab, PRESETS["quick"].config.with_values({"data.dataset": "bands", "train.seed": 5}))
    app = view(open_page("runs", run=run.id), "Configuration")
    assert "What differs from the preset Quick" in words(app)
    assert "Nothing but what a preset leaves open" in words(app)
    assert not app.table
