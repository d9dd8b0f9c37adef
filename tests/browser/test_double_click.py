"""A double click as a browser sends it: the second click while the page still answers the first."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from marsseg import services
from tests.browser.conftest import Lab, Visitor
from tests.support import labs

pytestmark = pytest.mark.browser
PACE_MILLISECONDS = 40
"""From pressing to letting go, and to pressing again. Two clicks at once would reach the server as one."""


@pytest.fixture
def lab(lab_server: Lab) -> services.Lab:
    """A lab with one finished run, in which nothing begins to train."""
    lab = labs.make_lab(lab_server.settings.home)
    run = labs.finish_run(lab, labs.config())
    (lab.settings.run_dir(run.id) / "model.onnx").write_bytes(b"a network")
    services.pause_queue(lab)
    return lab


def test_start_queues_one_study_and_shows_its_runs(
    lab: services.Lab, lab_server: Lab, visitor: Visitor
) -> None:
    page = visitor.open(f"{lab_server.serve().url}/study")
    page.get_by_role("button", name="Start").dblclick(delay=PACE_MILLISECONDS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    has_answered(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    assert len(lab.store.list_studies()) == 1
    visitor.assert_all_went_well()


def test_a_run_is_flipped_once(lab: services.Lab, lab_server: Lab, visitor: Visitor) -> None:
    (run,) = services.finished_runs(lab)
    page = visitor.open(f"{lab_server.serve().url}/runs?run={run.id}")
    page.get_by_role("button", name="Combine").click()
    button = page.get_by_role("button", name="Flip this run")
    button.dblclick(delay=PACE_MILLISECONDS)
    expect(page.get_by_text("Queued; it takes a few seconds.").first).to_be_visible()
    expect(button).to_be_hidden()
    has_answered(page)
    assert len(services.queue(lab)) == 1
    visitor.assert_all_went_well()


def has_answered(page: Page) -> None:
    """The server is done with all that it was asked."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
