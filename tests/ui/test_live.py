from __future__ import annotations

from unittest import mock

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest


def refresh_script():
    import streamlit as st

    from marsseg.ui import live

    state = st.session_state
    state["runs"] = state.get("runs", 0) + 1

    def draw():
        st.write(f"drawn, active {state['active']}")
        if state.get("ends_while_drawing"):
            state["active"] = state["ends_while_drawing"] = False

    live.refresh("part", draw, lambda: state["active"])


def watch_script():
    import streamlit as st

    from marsseg.ui import live

    state = st.session_state
    state["runs"] = state.get("runs", 0) + 1

    def read():
        answers = state["answers"]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    live.watch("page", read)


def run(script, **state):
    app = AppTest.from_function(script, default_timeout=30)
    for key, value in state.items():
        app.session_state[key] = value
    with mock.patch("marsseg.ui.live.st.fragment", wraps=st.fragment) as fragment:
        app.run()
    assert not app.exception
    return app, [call.kwargs["run_every"] for call in fragment.call_args_list]


@pytest.mark.parametrize(("active", "polls"), [(True, [1.5]), (False, [None])])
def test_a_part_polls_only_while_active(active, polls):
    app, run_every = run(refresh_script, active=active)
    assert run_every == polls
    assert app.markdown[0].value == f"drawn, active {active}"
    assert app.session_state["runs"] == 1


def test_a_part_that_finds_activity_ended_runs_the_page_again_and_is_still():
    app, run_every = run(refresh_script, active=True, ends_while_drawing=True)
    assert app.session_state["runs"] == 2
    assert run_every == [1.5, None]


@pytest.mark.parametrize(("answer", "polls"), [((4, True), [1.5]), ((4, False), [None])])
def test_a_watch_polls_only_while_active(answer, polls):
    app, run_every = run(watch_script, answers=[answer])
    assert run_every == polls
    assert app.session_state["runs"] == 1


def test_a_watch_runs_the_page_again_when_something_changed():
    app, run_every = run(watch_script, answers=[(4, True), (5, True), (5, False)])
    assert app.session_state["runs"] == 2
    assert run_every == [1.5, None]


def test_an_idle_watch_looks_now_and_then_if_told_to() -> None:
    def script(idle_every):
        from marsseg.ui import live

        live.watch("board", lambda: (1, False), idle_every=idle_every)

    with mock.patch("streamlit.fragment", wraps=st.fragment) as fragment:
        AppTest.from_function(script, kwargs={"idle_every": 10}).run()
    assert fragment.call_args.kwargs["run_every"] == 10


def refusing_script():
    import streamlit as st

    from marsseg.errors import MarsSegError, StoreError
    from marsseg.ui import live

    state = st.session_state

    def read():
        if state["refuses"]:
            raise StoreError("The database was moved.")
        return (1, True)

    try:
        live.watch("page", read)
        live.refresh("part", lambda: st.write(f"drawn {read()}"), lambda: True)
        st.write("the rest of the page")
        state["refuses"] = state["later"]
    except MarsSegError as error:
        st.write(f"The page says: {error}")
    for part in state["parts"]:
        part()  # as its timer does


@pytest.mark.parametrize(("at_first", "later"), [(True, False), (False, True)])
def test_a_store_that_refuses_is_told_by_the_page_or_later_in_place_of_the_part(at_first, later):
    app = AppTest.from_function(refusing_script, default_timeout=30)
    parts = app.session_state["parts"] = []
    app.session_state["refuses"], app.session_state["later"] = at_first, later

    def fragment(function, **_options):
        if not at_first:
            parts.append(function)
        return function

    with mock.patch("streamlit.fragment", fragment):
        app.run()
    assert not app.exception
    said = [element.value for element in app.markdown]
    if at_first:
        assert said == ["The page says: The database was moved."]
    else:
        assert said == ["drawn (1, True)", "the rest of the page"]
        assert [error.value for error in app.error] == ["The database was moved."] * 2


def test_a_part_whose_run_is_gone_runs_the_page_again():
    def script():
        import streamlit as st

        from marsseg.errors import NotFoundError
        from marsseg.ui import live

        state = st.session_state
        state["runs"] = state.get("runs", 0) + 1

        def draw():
            if state["runs"] == 1:
                raise NotFoundError("gone")
            st.write("drawn")

        live.refresh("part", draw, lambda: False)

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert (app.session_state["runs"], app.markdown[0].value) == (2, "drawn")


def line_script():
    import streamlit as st

    from marsseg.execution.control import SchedulerStatus
    from marsseg.services import Activity
    from marsseg.ui import shell

    state = st.session_state
    state["runs"] = state.get("runs", 0) + 1

    def read():
        counts = state["active"]
        active = counts.pop(0) if len(counts) > 1 else counts[0]
        return Activity(active, 0, SchedulerStatus(alive=False), 10**12)

    shell.render_activity(read)


@pytest.mark.parametrize(("active", "polls"), [(1, [3]), (0, [None])])
def test_the_line_of_state_polls_only_while_active(active, polls):
    app, run_every = run(line_script, active=[active])
    assert run_every == polls
    assert app.session_state["runs"] == 1


def test_the_line_of_state_runs_the_page_again_when_activity_ends_and_is_still():
    app, run_every = run(line_script, active=[2, 2, 1, 0])
    assert app.session_state["runs"] == 1
    with mock.patch("marsseg.ui.live.st.fragment", wraps=st.fragment) as fragment:
        app.run()
    assert app.session_state["runs"] == 3
    assert [call.kwargs["run_every"] for call in fragment.call_args_list] == [3, None]
    assert run_every == [3]
