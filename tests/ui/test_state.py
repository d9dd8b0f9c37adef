from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def script():
    import streamlit as st

    from marsseg.ui import state

    st.session_state["lens"] = state.from_address("lens", allowed=("terrain", "strict"), default="terrain")
    st.session_state["runs"] = state.list_from_address("runs", allowed=("a", "b", "c"))
    if "write" in st.session_state:
        state.to_address("runs", st.session_state["write"])


def run(write="unset", **address):
    app = AppTest.from_function(script, default_timeout=30)
    app.query_params.update(address)
    if write != "unset":
        app.session_state["write"] = write
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("address", "lens"), [({}, "terrain"), ({"lens": "strict"}, "strict"), ({"lens": "<b>"}, "terrain")]
)
def test_one_value_of_the_address(address, lens):
    assert run(**address).session_state["lens"] == lens


@pytest.mark.parametrize(
    ("address", "runs"), [({}, []), ({"runs": "b,a,b"}, ["b", "a"]), ({"runs": "a,gone,,c"}, ["a", "c"])]
)
def test_a_list_in_the_address(address, runs):
    assert run(**address).session_state["runs"] == runs


@pytest.mark.parametrize(("write", "address"), [(["a", "c"], "a,c"), ("b", "b"), ([], None), (None, None)])
def test_writing_the_address(write, address):
    app = run(write=write, runs="a")
    assert app.query_params.get("runs") == address


def remembering_script():
    import streamlit as st

    from marsseg.ui import state

    def choose():
        state.remember("run", st.session_state["test.choice"] or None)

    st.text_input("choice", key="test.choice", on_change=choose)
    st.session_state["test.value"] = state.remembered("run")


def test_the_newest_choice_counts_then_the_address_then_the_last_one():
    app = AppTest.from_function(remembering_script)
    app.query_params["run"] = "linked"
    assert app.run().session_state["test.value"] == "linked"
    app.text_input[0].set_value("chosen").run()
    assert (app.session_state["test.value"], app.query_params["run"]) == ("chosen", "chosen")
    app.query_params["run"] = "linked"
    assert app.run().session_state["test.value"] == "linked"
    app.query_params.clear()
    assert app.run().session_state["test.value"] == "chosen"
    assert app.query_params["run"] == "chosen"
    app.text_input[0].set_value("").run()
    assert (app.session_state["test.value"], dict(app.query_params)) == ("", {})
