"""Leaderboard: first results, the ranking and what can be done with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunStatus
from marsseg.ui import keys
from tests.pages.driver import AWKWARD, button, charts, go_to, links, open_page, press, words
from tests.pages.test_every_page import start_failing
from tests.support.labs import config, finish_run, queue_run
from tests.support.terrain import write_course_file


def table(app: AppTest) -> pd.DataFrame:
    assert not app.exception
    assert not app.error
    return app.dataframe[0].value


def differences(app: AppTest) -> list[str]:
    """Δ as people read it, which is not how it sorts."""
    shown = table(app)
    bytes_ = app.dataframe[0].proto.arrow_data.styler.display_values
    written = pa.ipc.open_stream(bytes_).read_pandas()
    return [str(cell) for cell in written.iloc[:, shown.columns.get_loc("Δ points")]]


def board(lab: Lab, **query: str) -> services.Leaderboard:
    usual = {"lens": "terrain", "decoding": "terrain_only", "split": "test"}
    return services.leaderboard(lab, services.make_query(**{**usual, **query}))


def select(app: AppTest, *rows: int) -> AppTest:
    """Tick rows of the table."""
    app.session_state[app.dataframe[0].key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return app.run()


def test_folds_are_one_row_that_says_how_it_was_scored(lab: Lab) -> None:
    for fold in range(2):
        finish_run(lab, config(data__folds=3, data__fold=fold))
    app = open_page("leaderboard", split="validation")
    assert list(table(app)["Scored over"]) == ["2 of 3 folds pooled"]
    finish_run(lab, config(data__folds=3, data__fold=2))
    assert list(table(app.run())["Scored over"]) == ["3 folds pooled"]
    app.get_by_key(keys.SPLIT).set_value("test").run()
    assert list(table(app)["Scored over"]) == ["mean ± sd over 3 folds"]
    assert list(table(app)["n"]) == [3]


def test_how_folds_were_scored_is_read_whole(lab: Lab) -> None:
    for fold in range(2):
        finish_run(lab, config(data__folds=3, data__fold=fold))
    app = open_page("leaderboard", split="validation")
    width = json.loads(app.dataframe[0].proto.columns)["Scored over"]["width"]
    assert width >= 6 * len("2 of 3 folds pooled")


def test_a_row_with_another_split_says_on_how_few_tiles_it_is_compared(lab: Lab) -> None:
    finish_run(lab, config(data__test_fraction=0.4))
    finish_run(lab, config(data__test_fraction=0.4, model__residual=True))
    app = open_page("leaderboard")
    assert "tiles that both were scored on" not in words(app)
    finish_run(lab, config(data__test_fraction=0.4, data__split_seed=7))
    app.run()
    (shared,) = {row.delta.shared_tiles for row in board(lab).rows if row.delta} - {None}
    cells = [str(cell) for cell in table(app)["95 % interval"]]
    assert [cell.endswith(f" on {shared} tiles") for cell in cells].count(True) == 1
    assert "compared on the tiles that both were scored on" in words(app)


def test_an_empty_board_starts_the_demo_ablation(first_visit: Lab, woken: list[str]) -> None:
    app = press(open_page("leaderboard"), "Run the demo ablation")
    waiting = services.queue(first_visit)
    assert [run.name for run in waiting] == ["Demo ablation · baseline", "+residual", "+SE +residual"]
    assert {run.status for run in waiting} == {RunStatus.QUEUED}
    assert woken
    assert "First results are on their way" in words(app)
    assert "Three small runs are queued" in app.toast[0].value
    assert "Watch the runs" in links(app)
    assert "0 active · 3 queued" in app.sidebar.caption[0].value


def test_the_demo_without_its_dataset_is_refused_in_a_sentence(lab: Lab) -> None:
    app = press(open_page("leaderboard"), "Run the demo ablation")
    assert not app.exception
    assert "demo" in app.error[0].value
    assert not services.queue(lab)


def test_runs_that_failed_are_pointed_at(lab: Lab) -> None:
    start_failing(lab, "gone wrong", "Out of memory.")
    app = open_page("leaderboard")
    assert "Look at the runs that ended" in links(app)


def test_rows_are_ranked_and_grouped_by_configuration(scored: Lab) -> None:
    app = open_page("leaderboard")
    shown = table(app)
    assert shown["What differs"].tolist() == ["+residual", AWKWARD, "plain"]
    assert shown["n"].tolist() == [1, 1, 2]
    assert shown["Mean IoU"].is_monotonic_decreasing
    assert shown["± sd"].isna().tolist() == [True, True, False]
    assert differences(app)[2] == "baseline"
    assert shown["95 % interval"].isna().tolist() == [False, False, True]
    assert shown["95 % interval"][0].startswith("+")


@pytest.mark.parametrize(
    ("control", "value"), [("lens", "strict"), ("decoding", "argmax"), ("split", "validation")]
)
def test_another_way_to_score_shows_other_numbers(scored: Lab, control: str, value: str) -> None:
    app = open_page("leaderboard")
    before = table(app)["Mean IoU"].tolist()
    app.get_by_key(control).set_value(value).run()
    after = table(app)
    assert after["Mean IoU"].tolist() == [row.score for row in board(scored, **{control: value}).rows]
    assert after["Mean IoU"].tolist() != before
    assert ("background" in after.columns) == (value == "strict")


def test_a_link_holds_how_the_board_is_scored_and_filtered(scored: Lab) -> None:
    app = open_page("leaderboard", lens="course", split="validation", filter="+residual")
    assert table(app)["Mean IoU"].tolist() == [board(scored, lens="course", split="validation").rows[0].score]


def test_less_is_written_with_a_true_minus_sign(scored: Lab) -> None:
    best = board(scored).rows[0]
    written = differences(open_page("leaderboard", baseline=best.key))
    assert all(cell.startswith("−") for cell in written[1:])


def test_another_baseline_changes_the_differences(scored: Lab) -> None:
    rows = board(scored).rows
    app = open_page("leaderboard")
    first = table(app)["Δ points"].tolist()
    app.get_by_key(keys.BASELINE_WIDGET).set_value(rows[0].key).run()
    shown = table(app)
    assert shown["Δ points"].tolist()[1:] == pytest.approx(
        [100 * (row.score - rows[0].score) for row in rows[1:]]
    )
    assert shown["Δ points"].tolist() != first
    assert app.query_params["baseline"] == rows[0].key
    go_to(app, "data")
    go_to(app, "leaderboard")
    assert differences(app)[0] == "baseline"


def test_rows_of_one_name_can_be_told_apart_as_baselines(scored: Lab) -> None:
    finish_run(scored, config(model__filters=4, name=f"{'long ' * 20}a"))
    finish_run(scored, config(model__filters=6, name=f"{'long ' * 20}b"))
    app = open_page("leaderboard")
    options = app.get_by_key(keys.BASELINE_WIDGET).options
    assert len(set(options)) == len(options) == 5


def test_a_baseline_that_is_gone_gives_way_to_the_usual_one(scored: Lab) -> None:
    best = board(scored).rows[0]
    app = open_page("leaderboard", baseline=best.key)
    assert differences(app)[0] == "baseline"
    services.delete(scored, [best.run_ids[0]])
    app.run()
    assert differences(app)[-1] == "baseline"


def test_words_filter_rows_and_an_empty_answer_says_so(scored: Lab) -> None:
    app = open_page("leaderboard")
    app.get_by_key(keys.BOARD_FILTER).set_value("PLAIN").run()
    assert table(app)["What differs"].tolist() == ["plain"]
    app.get_by_key(keys.BOARD_FILTER).set_value("no such words").run()
    assert not app.exception
    assert "No row holds all of these words" in words(app)


def test_numbers_among_the_toggles_stay_numbers(scored: Lab) -> None:
    finish_run(scored, config(model__filters=4))
    filters = table(open_page("leaderboard"))["Filters"]
    assert sorted(filters.tolist()) == [4, 16, 16, 16]


def test_columns_can_be_chosen(scored: Lab) -> None:
    app = open_page("leaderboard")
    assert {"soil", "big rock", "Parameters", "Residual connections"} <= set(table(app).columns)
    app.get_by_key(keys.BOARD_COLUMNS).set_value(["n"]).run()
    assert table(app).columns.tolist() == ["#", "What differs", "Mean IoU", "± sd", "Δ points", "n"]


def test_selected_rows_open_the_masks_page(scored: Lab) -> None:
    app = open_page("leaderboard")
    assert button(app, "Compare masks").disabled
    select(app, 0, 2)
    press(app, "Compare masks")
    rows = board(scored).rows
    wanted = {rows[0].run_ids[-1], rows[2].run_ids[-1]}
    assert [title.value for title in app.title] == ["Masks"]
    assert set(app.get_by_key(keys.MASK_RUNS).value) == wanted


def test_selected_configurations_are_compared_field_by_field(scored: Lab) -> None:
    app = select(open_page("leaderboard"), 0, 2)
    shown = app.table[0].value
    assert shown["Field"].tolist() == ["Residual connections"]
    assert shown.iloc[0, 1:].tolist() == ["on", "off"]


def test_rows_stay_selected_when_new_ones_arrive(scored: Lab) -> None:
    app = select(open_page("leaderboard"), 1)
    finish_run(scored, config(model__filters=4), error_rate=0.01)
    app.run()
    assert len(table(app)) == 4
    press(app, "Compare masks")
    assert app.get_by_key(keys.MASK_RUNS).value == [board(scored).rows[2].run_ids[-1]]


@pytest.mark.parametrize("form", keys.BOARD_FORMATS)
def test_an_export_is_what_the_terminal_prints(
    scored: Lab, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("leaderboard", filter="plain")
    given = downloads(app, monkeypatch)[keys.board_export(form)]
    whole = board(scored)
    assert given == services.leaderboard_text(services.filter_board(whole, "plain"), form)
    if form == "csv":
        assert len(list(csv.reader(io.StringIO(given)))) == 2


def downloads(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each download button would give, by key."""
    import streamlit as st

    given: dict[str, str] = {}
    real = st.download_button

    def noted(label: str, data: Callable[[], str], *args: object, **options: object) -> bool:
        given[str(options["key"])] = data()
        return bool(real(label, data, *args, **options))

    monkeypatch.setattr(st, "download_button", noted)
    app.run()
    return given


def test_charts_show_what_changes_are_worth_and_what_scores_cost(scored: Lab) -> None:
    assert charts(open_page("leaderboard")) == 2


def test_each_dataset_has_a_board_of_its_own(scored: Lab) -> None:
    path = write_course_file(scored.settings.home / "other.npz", seed=9)
    services.add_dataset(scored, path, name="other")
    finish_run(scored, config(data__dataset="other"), name="elsewhere")
    app = open_page("leaderboard")
    assert table(app)["What differs"].tolist() == ["elsewhere"]
    best = board(scored, dataset="bands").rows[0].key
    app.get_by_key(keys.BOARD_DATASET).set_value("bands").run()
    app.get_by_key(keys.BASELINE_WIDGET).set_value(best).run()
    assert len(table(app)) == 3
    app.get_by_key(keys.BOARD_DATASET).set_value("other").run()
    assert table(app)["What differs"].tolist() == ["elsewhere"]


def test_a_board_that_fills_says_that_more_is_coming(lab: Lab) -> None:
    queue_run(lab, config())
    assert "First results are on their way" in words(open_page("leaderboard"))
