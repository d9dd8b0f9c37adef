"""The form of a new run, filled from a preset or from a run that was made before."""

from __future__ import annotations

import pytest

from marsseg import services
from marsseg.errors import StoreError
from marsseg.presets import PRESETS
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import open_page, words
from tests.support.labs import DATASET, config, finish_run


def test_a_preset_fills_the_form_and_leaves_the_dataset(lab: Lab) -> None:
    app = open_page("train")
    app.get_by_key(keys.TRAIN_PRESET).set_value("report-as-printed").run()
    app.get_by_key(keys.TRAIN_PRESET).set_value("ladder-2").run()
    preset = PRESETS["ladder-2"]
    wanted = preset.config.flat() | {"data.dataset": DATASET}
    for path in ("loss.focal_gamma", "model.filters", "train.epochs", "data.dataset"):
        assert app.session_state[keys.field(keys.TRAIN_FORM, path)] == wanted[path]
    assert preset.note in words(app)


def test_a_run_that_was_made_before_fills_the_form(lab: Lab) -> None:
    run = finish_run(lab, config(model__filters=6, loss__dice=0.5), name="an old one")
    app = open_page("train")
    app.get_by_key(keys.TRAIN_RUN).set_value(run.id).run()
    assert app.get_by_key("train.config.model.filters").value == 6
    assert app.session_state["train.config.loss.dice"] == 0.5
    assert "As in an old one" in words(app)
    app.get_by_key(keys.TRAIN_RUN).set_value(None).run()
    assert app.get_by_key("train.config.model.filters").value == PRESETS["quick"].config.model.filters


def test_a_run_deleted_meanwhile_is_no_longer_offered(lab: Lab) -> None:
    run = finish_run(lab, config(), name="an old one")
    app = open_page("train")
    app.get_by_key(keys.TRAIN_RUN).set_value(run.id).run()
    services.delete(lab, [run.id])
    assert not app.run().exception
    assert app.get_by_key(keys.TRAIN_RUN).value is None


def test_a_run_that_cannot_be_read_does_not_fill_the_form_and_is_told(
    scored: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("The database stayed busy.")

    monkeypatch.setattr(services, "clone_config", refuse)
    run = services.list_runs(scored)[0]
    app = open_page("train")
    app.get_by_key(keys.TRAIN_RUN).set_value(run.id).run()
    assert not app.exception
    assert "The database stayed busy." in words(app)
    assert app.get_by_key(keys.TRAIN_RUN).value is None
