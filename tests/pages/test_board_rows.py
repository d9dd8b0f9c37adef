"""Leaderboard: which rows a long board shows, and which stay selected while it shows others."""

from __future__ import annotations

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.config.describe import FIELDS
from marsseg.services.lab import Lab
from marsseg.ui import board as board_ui
from marsseg.ui import keys
from tests.pages.driver import AWKWARD, open_page, press, words
from tests.pages.test_leaderboard import board, downloads, select, table


def filter_by(app: AppTest, typed: str) -> AppTest:
    return app.get_by_key(keys.BOARD_FILTER).set_value(typed).run()


def test_a_long_board_shows_its_best_rows_and_exports_all(
    scored: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_ui, "MOST_ROWS", 2)
    app = open_page("leaderboard")
    assert table(app)["What differs"].tolist() == ["+residual", AWKWARD]
    assert "The best 2 of 3; narrow the filter to find others." in words(app)
    given = downloads(app, monkeypatch)[keys.board_export("csv")]
    assert given == services.leaderboard_text(board(scored), "csv")
    app.get_by_key(keys.BOARD_FILTER).set_value("plain").run()
    assert table(app)["What differs"].tolist() == ["plain"]
    assert "The best" not in words(app)


def test_a_full_table_with_every_column_can_be_styled() -> None:
    columns = len(FIELDS) + 20
    assert board_ui.MOST_ROWS * columns < pd.get_option("styler.render.max_elements")


def test_rows_stay_selected_while_the_filter_hides_them(scored: Lab) -> None:
    app = select(filter_by(open_page("leaderboard"), "residual"), 0)
    assert "hidden by the filter" not in words(app)
    select(filter_by(app, "plain"), 0)
    assert "2 selected, 1 hidden by the filter" in words(app)
    assert app.table[0].value["Field"].tolist() == ["Residual connections"]
    filter_by(app, "no such words")
    filter_by(app, "")
    assert "hidden by the filter" not in words(app)
    press(app, "Compare masks")
    rows = board(scored).rows
    assert set(app.get_by_key(keys.MASK_RUNS).value) == {rows[0].run_ids[-1], rows[2].run_ids[-1]}


def test_rows_that_are_hidden_can_be_let_go(scored: Lab) -> None:
    app = filter_by(select(open_page("leaderboard"), 0, 2), "plain")
    press(app, "Deselect hidden")
    assert "hidden by the filter" not in words(app)
    press(filter_by(app, ""), "Compare masks")
    assert app.get_by_key(keys.MASK_RUNS).value == [board(scored).rows[2].run_ids[-1]]
