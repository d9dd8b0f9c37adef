"""What a page refuses stands below its title until somebody does something else."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from marsseg.errors import StoreError
    from marsseg.ui import keys, live, shell

    state = st.session_state
    state[keys.NAVIGATION] = True
    state["runs"] = state.get("runs", 0) + 1
    shell.render_part(lambda: st.caption("a quiet line"), run_every=None)  # as `app.py` has one
    shell.begin_page("pages/runs.py")

    def try_it() -> None:
        if shell.attempt(answer):
            shell.flash("It worked.")

    def answer() -> None:
        if state["refuses"]:
            raise StoreError("The database is *busy*; try again.")

    def read() -> tuple[int, bool]:
        return state["versions"].pop() if state["versions"] else 0, True

    live.watch("page", read)
    st.button("Try", on_click=try_it)
    st.button("Do something else")


@pytest.fixture
def refused() -> AppTest:
    """The page after something was refused."""
    app = AppTest.from_function(page, default_timeout=30)
    app.session_state["refuses"], app.session_state["versions"] = True, []
    return app.run().button[0].click().run()


def sentences(app: AppTest) -> list[str]:
    assert not app.exception
    return [error.value.replace("\\", "") for error in app.error]


def test_it_stands_below_the_title_and_is_seen_further_down(refused: AppTest) -> None:
    assert sentences(refused) == ["The database is *busy*; try again."]
    assert refused.toast[0].value == refused.error[0].value


def test_it_goes_with_the_next_action(refused: AppTest) -> None:
    assert sentences(refused.button[1].click().run()) == []


def test_it_stands_while_parts_refresh(refused: AppTest) -> None:
    """A part that sees a change runs the whole page, and nobody has done anything."""
    runs = refused.session_state["runs"]
    refused.session_state["versions"] = [2, 1]
    refused.button[0].click().run()
    assert refused.session_state["runs"] == runs + 2
    assert sentences(refused) == ["The database is *busy*; try again."]


def test_a_success_takes_its_place(refused: AppTest) -> None:
    refused.session_state["refuses"] = False
    refused.button[0].click().run()
    assert sentences(refused) == []
    assert [toast.value for toast in refused.toast] == ["It worked."]
