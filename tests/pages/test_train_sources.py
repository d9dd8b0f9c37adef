"""The form of a new run, filled from a preset or from a run that was made before."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.errors import StoreError
from marsseg.presets import PRESETS
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import button, go_to, labels, open_page, press, words
from tests.support.labs import DATASET, config, finish_run

FILTERS, DEPTH, NAME = (
    keys.field(keys.TRAIN_FORM, path) for path in ("model.filters", "model.depth", "name")
)


def choose(app: AppTest, key: str, value: str | None) -> AppTest:
    return app.get_by_key(key).set_value(value).run()


def offers(app: AppTest) -> list[str]:
    """What can be brought back."""
    return [label for label in labels(app) if label.startswith("Bring back")]


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


def test_forgetting_the_run_leaves_the_values_and_compares_them_with_the_preset(lab: Lab) -> None:
    run = finish_run(lab, config(model__filters=6), name="an old one")
    app = choose(open_page("train"), keys.TRAIN_RUN, run.id)
    app.get_by_key(DEPTH).set_value(1).run()
    choose(app, keys.TRAIN_RUN, None)
    assert (app.get_by_key(FILTERS).value, app.get_by_key(DEPTH).value) == (6, 1)
    assert app.get_by_key(FILTERS).label.endswith(f"was {PRESETS['quick'].config.model.filters}")
    assert PRESETS["quick"].note in words(app)
    assert not offers(app)
    choose(app, keys.TRAIN_PRESET, "ladder-2")
    assert app.get_by_key(keys.TRAIN_RUN).value is None
    press(app, *offers(app))
    assert (app.get_by_key(FILTERS).value, app.get_by_key(DEPTH).value) == (6, 1)
    assert (app.get_by_key(keys.TRAIN_RUN).value, app.get_by_key(keys.TRAIN_PRESET).value) == (None, "quick")


def test_changes_that_a_preset_takes_away_can_be_brought_back(lab: Lab) -> None:
    app = open_page("train")
    app.get_by_key(NAME).set_value("mine")
    app.get_by_key(DEPTH).set_value(1)
    app.get_by_key(FILTERS).set_value(20).run()
    assert not offers(app)
    choose(app, keys.TRAIN_PRESET, "report-as-printed")
    choose(app, keys.TRAIN_PRESET, "ladder-2")
    press(app, "Bring back 3 changes")
    assert [app.get_by_key(key).value for key in (NAME, DEPTH, FILTERS)] == ["mine", 1, 20]
    assert app.get_by_key(keys.TRAIN_PRESET).value == "quick"
    assert button(app, "Undo 2 changes")
    assert not offers(app)


def test_changes_to_a_run_come_back_as_changes_to_that_run(lab: Lab) -> None:
    run = finish_run(lab, config(model__filters=6), name="an old one")
    app = choose(open_page("train"), keys.TRAIN_RUN, run.id)
    app.get_by_key(FILTERS).set_value(7).run()
    choose(app, keys.TRAIN_PRESET, "ladder-2")
    assert app.get_by_key(keys.TRAIN_RUN).value is None
    press(app, "Bring back 1 change")
    assert app.get_by_key(keys.TRAIN_RUN).value == run.id
    assert app.get_by_key(FILTERS).label.endswith("was 6")


def test_changes_made_since_are_not_lost_in_turn(lab: Lab) -> None:
    app = open_page("train")
    app.get_by_key(FILTERS).set_value(20).run()
    choose(app, keys.TRAIN_PRESET, "ladder-2")
    app.get_by_key(FILTERS).set_value(24).run()
    assert app.get_by_key(FILTERS).value == 24
    press(app, "Bring back 1 change")
    assert app.get_by_key(FILTERS).value == 20
    press(app, "Bring back 1 change")
    assert app.get_by_key(FILTERS).value == 24
    assert app.get_by_key(keys.TRAIN_PRESET).value == "ladder-2"


def test_a_half_finished_form_survives_clone_and_edit(lab: Lab) -> None:
    run = finish_run(lab, config(model__filters=6), name="an old one")
    app = open_page("train")
    app.get_by_key(FILTERS).set_value(20).run()
    app.query_params["run"] = run.id
    press(go_to(app, "runs"), "Clone and edit")
    assert app.get_by_key(FILTERS).value == 6
    press(go_to(app, "train"), "Bring back 1 change")
    assert app.get_by_key(FILTERS).value == 20
    assert app.get_by_key(keys.TRAIN_RUN).value is None


def test_nothing_is_offered_back_where_nothing_was_lost(lab: Lab) -> None:
    app = choose(open_page("train"), keys.TRAIN_PRESET, "ladder-2")
    assert not offers(app)
    app.get_by_key(FILTERS).set_value(PRESETS["quick"].config.model.filters).run()
    assert not offers(choose(app, keys.TRAIN_PRESET, "quick"))


def test_a_start_ends_the_offer(lab: Lab) -> None:
    app = open_page("train")
    app.get_by_key(FILTERS).set_value(20).run()
    choose(app, keys.TRAIN_PRESET, "ladder-1")
    assert offers(app)
    press(app, "Start")
    assert not app.exception
    assert not offers(go_to(app, "train"))


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
