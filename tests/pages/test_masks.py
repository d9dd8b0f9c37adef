"""Masks: the same tiles through several runs."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import button, go_to, open_page, press, viewers, words
from tests.support.labs import config, finish_run
from tests.support.terrain import write_course_file


def rows(app: AppTest) -> list[dict[str, Any]]:
    """The rows of tiles on show."""
    assert not app.exception
    assert not app.error
    return list(viewers(app)[0]["rows"])


def titles(app: AppTest) -> list[str]:
    return [row["title"] for row in rows(app)]


def ids(lab: Lab) -> list[str]:
    return [run.id for run in services.list_runs(lab)]


def test_the_best_run_is_shown_unless_the_address_names_others(scored: Lab) -> None:
    scores = services.score_by_run(scored)
    app = open_page("masks")
    best = max(scores, key=lambda run_id: scores[run_id])
    assert app.get_by_key(keys.MASK_RUNS).value == [best]
    assert app.query_params["runs"] == best
    assert [panel["title"] for panel in rows(app)[0]["panels"]][:2] == ["Image", "Truth"]


def test_runs_of_the_address_come_first_on_every_visit(scored: Lab) -> None:
    a, b, c, _ = ids(scored)
    app = open_page("masks", runs=f"{a},{b}")
    assert app.get_by_key(keys.MASK_RUNS).value == [a, b]
    panels = rows(app)[0]["panels"]
    assert len(panels) == 5  # image, truth, two runs, where they differ
    assert not any(run_id in panel["note"] for panel in panels for run_id in (a, b))
    app.query_params["runs"] = f"{c},unknown,{a}"
    app.run()
    assert app.get_by_key(keys.MASK_RUNS).value == [c, a]


def test_repeats_of_one_configuration_are_told_apart_by_their_ids(scored: Lab) -> None:
    *_, b, a = ids(scored)
    panels = rows(open_page("masks", runs=f"{a},{b}"))[0]["panels"]
    assert [panel["title"] for panel in panels[2:4]] == ["plain", "plain"]
    assert [panel["note"].split(" · ")[0] for panel in panels[2:4]] == [a, b]


def test_another_choice_of_runs_goes_into_the_address_and_stays(scored: Lab) -> None:
    a, b, *_ = ids(scored)
    app = open_page("masks", runs=a)
    app.get_by_key(keys.MASK_RUNS).set_value([b, a]).run()
    assert app.query_params["runs"] == f"{b},{a}"
    go_to(app, "data")
    app.query_params.pop("runs", None)
    go_to(app, "masks")
    assert app.get_by_key(keys.MASK_RUNS).value == [b, a]
    app.get_by_key(keys.MASK_RUNS).set_value([]).run()
    assert "Choose one to 4 runs" in words(app)
    assert "runs" not in app.query_params


def test_a_run_deleted_meanwhile_leaves_the_others(scored: Lab) -> None:
    a, b, *_ = ids(scored)
    app = open_page("masks", runs=f"{a},{b}")
    services.delete(scored, [a])
    app.run()
    assert app.get_by_key(keys.MASK_RUNS).value == [b]
    assert rows(app)


@pytest.mark.parametrize("order", ["worst", "disagreement", "index"])
def test_tiles_stand_in_the_order_asked_for(scored: Lab, order: str) -> None:
    runs = ids(scored)[:2]
    app = open_page("masks", runs=",".join(runs))
    app.get_by_key(keys.MASK_ORDER).set_value(order).run()
    expected = services.mask_comparison(scored, runs, order=order).rows[:6]
    assert titles(app) == [f"Tile {row}" for row in expected]


@pytest.mark.parametrize(
    ("control", "value"), [(keys.MASK_SPLIT, "validation"), (keys.MASK_DECODING, "argmax")]
)
def test_other_tiles_and_masks_by_split_and_decoding(scored: Lab, control: str, value: str) -> None:
    app = open_page("masks")
    before = rows(app)
    assert rows(app.get_by_key(control).set_value(value).run()) != before


def test_pages_turn_and_another_order_starts_at_the_first(
    scored: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsseg.ui.mask_page.TILES_A_PAGE", 4)
    app = open_page("masks")
    first = titles(app)
    assert button(app, "Previous").disabled
    press(app, "Next")
    second = titles(app)
    assert not set(first) & set(second)
    assert "Tiles 5–6 of 6" in words(app)
    assert button(app, "Next").disabled
    press(app, "Previous")
    assert titles(app) == first
    press(app, "Next")
    app.get_by_key(keys.MASK_ORDER).set_value("index").run()
    assert "Tiles 1–4 of 6" in words(app)


def test_errors_take_the_place_of_masks_as_the_switch_says(scored: Lab) -> None:
    app = open_page("masks")
    assert app.get_by_key(keys.MASK_ERRORS).label == "Errors instead of masks"
    alone = ["image", "overlay", "overlay", "error"]  # one run has room for both
    assert [panel["mode"] for panel in rows(app)[0]["panels"]] == alone
    app.get_by_key(keys.MASK_ERRORS).set_value(True).run()
    assert [panel["mode"] for panel in rows(app)[0]["panels"]] == ["image", "overlay", "error"]
    assert rows(app)[0]["panels"][2]["truth"]
    a, b, *_ = ids(scored)
    app.query_params["runs"] = f"{a},{b}"
    two = ["image", "overlay", "error", "error", "difference"]
    assert [panel["mode"] for panel in rows(app.run())[0]["panels"]] == two
    app.get_by_key(keys.MASK_ERRORS).set_value(False).run()
    assert "error" not in [panel["mode"] for panel in rows(app)[0]["panels"]]


def test_runs_that_cannot_be_compared_are_refused_and_the_page_goes_on(scored: Lab) -> None:
    path = write_course_file(scored.settings.home / "other.npz", seed=9)
    services.add_dataset(scored, path, name="other")
    other = finish_run(scored, config(data__dataset="other"))
    here = ids(scored)[1]
    app = open_page("masks", runs=f"{other.id},{here}")
    assert "different datasets" in app.error[0].value
    assert rows(app.get_by_key(keys.MASK_RUNS).set_value([here]).run())
