"""Name, tags and notes of a run that two windows have open."""

from __future__ import annotations

import pytest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord
from marsseg.ui import keys
from tests.pages.driver import open_page
from tests.pages.test_run_detail import type_in


@pytest.fixture
def done(scored: Lab) -> RunRecord:
    """The newest of the runs with scores."""
    return services.list_runs(scored)[0]


def written_elsewhere(lab: Lab, run: RunRecord) -> None:
    """What another window, or a terminal, says about a run."""
    services.set_notes(lab, run.id, "Theirs.")
    services.change_tags(lab, run.id, add=["theirs"])


def test_the_fields_hold_what_another_window_wrote(scored: Lab, done: RunRecord) -> None:
    app = open_page("runs", run=done.id)
    written_elsewhere(scored, done)
    services.rename(scored, done.id, "their name")
    app.run()
    fields = {
        name: app.get_by_key(keys.run_button(name, done.id)).value for name in ("name", "tags", "notes")
    }
    assert fields == {"name": "their name", "tags": ["theirs"], "notes": "Theirs."}
    type_in(app, "notes", done, "Theirs, corrected.")
    type_in(app, "tags", done, ["theirs", "ours"])
    assert services.get_run(scored, done.id).notes == "Theirs, corrected."
    assert services.get_run(scored, done.id).tags == ("ours", "theirs")
    other = services.list_runs(scored)[1]
    app.query_params["run"] = other.id
    assert app.run().get_by_key(keys.run_button("notes", other.id)).value == ""
    services.set_notes(scored, done.id, "Later.")
    app.query_params["run"] = done.id
    assert app.run().get_by_key(keys.run_button("notes", done.id)).value == "Later."


def test_what_another_window_wrote_since_the_page_was_drawn_is_kept(scored: Lab, done: RunRecord) -> None:
    app = open_page("runs", run=done.id)
    written_elsewhere(scored, done)
    type_in(app, "notes", done, "Ours.")
    assert services.get_run(scored, done.id).notes == "Theirs.\n\nOurs."
    assert app.get_by_key(keys.run_button("notes", done.id)).value == "Theirs.\n\nOurs."
    app = open_page("runs", run=done.id)
    services.change_tags(scored, done.id, add=["more of theirs"])
    type_in(app, "tags", done, ["ours"])
    assert services.get_run(scored, done.id).tags == ("more of theirs", "ours")
