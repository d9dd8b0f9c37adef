"""All pages in the states that a lab goes through."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import streamlit as st
from sqlalchemy import event
from sqlalchemy.engine import Engine

from marsseg import services
from marsseg.errors import StoreError
from marsseg.services.lab import Lab
from marsseg.store.engine import Database
from marsseg.store.records import Phase, Progress, RunStatus
from marsseg.ui import keys
from tests.pages.conftest import OpenHome
from tests.pages.driver import AWKWARD, PAGES, go_to, open_page, read_as_markup, words
from tests.support.labs import config, finish_run, make_lab, queue_run, start_run

LONG = f"{AWKWARD} and then a name that goes on and on, as names of runs do that nobody ever cleans up "
EMPTY = {
    "leaderboard": "No results yet",
    "masks": "No predictions yet",
    "runs": "No runs yet",
    "segment": "No trained network yet",
}


def start_failing(lab: Lab, name: str, reason: str) -> str:
    run, token = start_run(lab, queue_run(lab, config(train__seed=77), name).id)
    lab.store.finish(run.id, token, RunStatus.FAILED, reason)
    return run.id


def start_training(lab: Lab, name: str) -> str:
    run, token = start_run(lab, queue_run(lab, config(train__seed=78), name).id)
    lab.store.report_progress(run.id, token, Progress(Phase.TRAINING, 2, 8, 5, 10, 41.5, 95.0))
    return run.id


@pytest.fixture(scope="session")
def crowded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty scored runs with long awkward names, a failed one, an active one and two that wait."""
    home = tmp_path_factory.mktemp("crowded")
    lab = make_lab(home)
    for n in range(40):
        changes = {"model__filters": 4 + n // 2, "train__seed": n % 2, "name": f"{LONG}{n // 2}"}
        finish_run(lab, config(**changes), error_rate=0.1 + n / 80, epochs=2)
    start_failing(lab, f"{LONG}that failed", f"Loss became NaN in epoch 3 of {AWKWARD}.")
    start_training(lab, f"{LONG}that trains")
    queue_run(lab, config(train__seed=90), f"{LONG}that waits")
    queue_run(lab, config(train__seed=91), f"{LONG}that waits longer")
    lab.store.close()
    return home


@pytest.mark.parametrize("page", PAGES)
def test_before_anything_has_run_each_page_says_what_will_be_there(first_visit: Lab, page: str) -> None:
    app = open_page(page)
    assert not app.exception
    assert not app.error
    assert EMPTY.get(page, "") in words(app)
    assert "0 active · 0 queued" in app.sidebar.caption[0].value


@pytest.mark.parametrize("page", PAGES)
def test_one_run(lab: Lab, page: str) -> None:
    finish_run(lab, config(), name=AWKWARD)
    app = open_page(page)
    assert not app.exception
    assert not app.error
    assert not read_as_markup(app)


@pytest.mark.parametrize("page", PAGES)
def test_forty_runs_with_long_awkward_names(open_home: OpenHome, crowded_home: Path, page: str) -> None:
    lab = open_home(crowded_home)
    failed = services.list_runs(lab, statuses=[RunStatus.FAILED])[0]
    app = open_page(page, run=failed.id) if page == "runs" else open_page(page)
    assert not app.exception
    assert not read_as_markup(app)
    assert "1 active · 2 queued · scheduler asleep" in app.sidebar.caption[0].value


@pytest.mark.parametrize("page", PAGES)
def test_only_a_failed_run(lab: Lab, page: str) -> None:
    start_failing(lab, "gone wrong", "Loss became NaN in epoch 3, step 41.")
    app = open_page(page)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("page", ["runs", "leaderboard", "masks", "segment"])
def test_more_finished_runs_take_no_more_queries(lab: Lab, page: str) -> None:
    def queries_with_runs(first: int, last: int) -> int:
        for seed in range(first, last):
            finish_run(lab, config(train__seed=seed, model__filters=4 + seed), epochs=1)
        app = open_page(page)
        made.clear()
        app.run()
        return len(made)

    made: list[str] = []

    def note(*arguments: object) -> None:
        made.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert queries_with_runs(0, 2) == queries_with_runs(2, 8) > 0
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def polls(page: str) -> dict[str | None, float]:
    """Parts of a page that refresh by themselves, by key, and after how many seconds."""
    with mock.patch("streamlit.fragment", wraps=st.fragment) as fragment:
        assert not open_page(page).exception
    asked = [call.kwargs for call in fragment.call_args_list]
    return {each.get("key"): each["run_every"] for each in asked if each["run_every"] is not None}


@pytest.mark.parametrize("page", [page for page in PAGES if page != "leaderboard"])
def test_an_idle_page_asks_nothing(lab: Lab, page: str) -> None:
    start_failing(lab, "gone wrong", "Loss became NaN in epoch 3, step 41.")
    assert polls(page) == {}


@pytest.mark.parametrize("page", ["masks", "segment"])
def test_a_page_that_waits_for_its_first_run_looks_for_it(lab: Lab, page: str) -> None:
    start_training(lab, "busy")
    assert polls(page)[keys.live(page)] == 1.5
    assert None in polls(page), "the line of state"


@pytest.mark.parametrize("page", ["runs", "leaderboard", "masks", "segment"])
def test_a_click_reads_no_scores_anew(scored: Lab, page: str) -> None:
    read: list[str] = []

    def note(*arguments: object) -> None:
        if "FROM evaluations" in str(arguments[2]):
            read.append(str(arguments[2]))

    app = open_page(page)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert not app.run().exception
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert not read


def test_a_link_to_a_fresh_server_brings_page_and_address_into_the_app(scored: Lab) -> None:
    run = services.list_runs(scored)[-1]
    app = open_page("runs", run=run.id)
    assert [title.value for title in app.title] == ["Runs"]
    assert "free" in app.sidebar.caption[0].value
    assert app.query_params["run"] == run.id
    assert f"id {run.id}" in words(app)


def test_one_session_visits_all_pages_and_keeps_its_form(scored: Lab) -> None:
    app = open_page("train")
    app.get_by_key("train.config.model.filters").set_value(12).run()
    for page in PAGES:
        assert not go_to(app, page).exception
    assert go_to(app, "train").get_by_key("train.config.model.filters").value == 12


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_was_moved_under_the_server_is_said_in_one_sentence(scored: Lab, page: str) -> None:
    app = open_page(page)
    database = scored.settings.home / "runs.db"
    database.rename(database.with_name("aside.db"))
    app.run()
    assert not app.exception
    (said,) = [error.value for error in app.error]
    assert "was moved, removed or replaced" in said
    assert "restart the app" in said


@pytest.mark.parametrize("page", PAGES)
def test_wherever_on_a_page_the_store_begins_to_refuse_it_is_said_in_one_sentence(
    scored: Lab, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    start_training(scored, "busy")
    app = open_page(page)
    read = Database.read
    reads = 0
    allowed = 10**9

    def refuse_in_the_end(database: Database) -> object:
        nonlocal reads
        reads += 1
        if reads > allowed:
            raise StoreError("The database stayed busy.")
        return read(database)

    monkeypatch.setattr(Database, "read", refuse_in_the_end)
    app.run()
    for allowed in range(reads):
        reads = 0
        app.run()
        assert not app.exception, f"after {allowed} reads"
        assert "The database stayed busy." in [error.value for error in app.error], f"after {allowed} reads"


def test_the_store_that_cannot_be_opened_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("MARSSEG_HOME", str(tmp_path / "file"))
    app = open_page("leaderboard")
    assert not app.exception
    assert [error.value for error in app.error] == [app.error[0].value]
    assert "MARSSEG" in app.error[0].value
