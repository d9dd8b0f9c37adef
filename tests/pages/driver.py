"""A person at the pages: opens them by their address, reads what they say, presses and picks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.runtime.state.session_state import WStates
from streamlit.testing.v1 import AppTest

from marsseg.settings import PROJECT_ROOT
from marsseg.store.records import RunRecord
from marsseg.ui import keys

PAGES = ("data", "train", "study", "runs", "leaderboard", "masks", "segment")
REASON = "Loss became NaN in epoch 3, step 41; the last finite weights are kept."
AWKWARD = "<b>x</b> **y** $z$ :red[no] [a](b)"
_MARKED = ("<b>x", "**y**", "$z$", ":red[no]", "[a](b)")
_SPEAKING = (
    "markdown", "caption", "title", "subheader", "header", "toast", "error", "warning", "info", "success"
)  # fmt: skip


def open_page(page: str, **address: str) -> AppTest:
    """What a new session sees behind a link to a page, with values in the link's address."""
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120)
    app.switch_page(f"pages/{page}.py")
    app.query_params.update(address)
    return app.run()


def go_to(app: AppTest, page: str) -> AppTest:
    """The same session on another page, as by a click in the navigation."""
    return app.switch_page(f"pages/{page}.py").run()


def words(app: AppTest) -> str:
    """Everything that the page says in Markdown, one element a line."""
    said = [str(element.value) for kind in _SPEAKING for element in getattr(app, kind)]
    titles = [element.proto.title for kind in ("error", "warning") for element in getattr(app, kind)]
    return "\n".join([*said, *titles, *(block.proto.dialog.title for block in app.get("dialog"))])


def metric(app: AppTest, label: str) -> str:
    """The value of the metric with a label."""
    return next(element.value for element in app.metric if element.label == label)


def button(app: AppTest, label: str) -> Any:
    """The one button with a label."""
    found = [element for element in app.button if element.label == label]
    assert len(found) == 1, [element.label for element in app.button]
    return found[0]


def press(app: AppTest, label: str) -> AppTest:
    """Press the one button with a label."""
    assert not button(app, label).disabled
    return button(app, label).click().run()


def double_click(app: AppTest, element: Any) -> AppTest:
    """Click a button twice; the second click arrives while the first one is being answered."""
    element.click()
    clicks = app._tree.get_widget_states()
    call_back = WStates.call_callback
    seen: list[str] = []

    def call_back_and_click_again(states: WStates, widget_id: str) -> None:
        if widget_id == element.proto.id:
            seen.append(widget_id)
        if seen == [element.proto.id]:
            context = get_script_run_ctx()
            assert context is not None
            assert context.script_requests is not None
            again = RerunData(widget_states=clicks, page_script_hash=context.page_script_hash)
            context.script_requests.request_rerun(again)
        call_back(states, widget_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WStates, "call_callback", call_back_and_click_again)
        app.run()
    assert len(seen) == 2, "Streamlit answers both clicks"
    return app


def press_of(app: AppTest, action: str, run: RunRecord) -> AppTest:
    """Press the button that does something to one run."""
    return app.get_by_key(keys.run_button(action, run.id)).click().run()


def labels(app: AppTest) -> set[str]:
    """Labels of all buttons."""
    return {element.label for element in app.button}


def pick_row(app: AppTest, *rows: int, table: int = 0, cell: tuple[int, str] | None = None) -> AppTest:
    """Tick rows of a table, or click a cell, as a person would, which AppTest cannot do by itself yet."""
    states = app._tree.get_widget_states()
    cells = [] if cell is None else [cell]
    selection = json.dumps({"selection": {"rows": rows, "columns": [], "cells": cells}})
    states.widgets.append(WidgetState(id=app.dataframe[table].proto.id, string_value=selection))
    return app._run(states)


def charts(app: AppTest) -> int:
    """How many charts the page shows."""
    return len(app.get("plotly_chart")) + len(app.get("vega_lite_chart"))


def viewers(app: AppTest) -> list[dict[str, Any]]:
    """What the mask viewers on the page were told to show."""
    return [json.loads(_viewer_data(node)) for node in app.get("bidi_component")]


def _viewer_data(node: Any) -> str:
    return str(node.proto.mixed.json if node.proto.HasField("mixed") else node.proto.json)


def links(app: AppTest) -> set[str]:
    """Labels of links to other pages."""
    return {element.value for element in app.page_link}


def read_as_markup(app: AppTest) -> list[str]:
    """Where the awkward name stands unescaped in something that Streamlit reads as Markdown or HTML."""
    texts = [*words(app).splitlines(), *labels(app), *(element.value for element in app.html)]
    texts += [str(cell) for table in app.table for cell in _cells(table.value)]
    texts += [block.label for block in (*app.tabs, *app.expander)]
    return [text for text in texts if any(mark in text for mark in _MARKED)]


def _cells(frame: Any) -> Iterator[Any]:
    yield from frame.columns
    yield from frame.to_numpy().ravel()
