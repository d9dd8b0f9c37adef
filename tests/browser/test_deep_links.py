"""An address that somebody saved or was sent opens its page inside the app, on a server nobody visited yet.

Until `app.py` has run, Streamlit takes `pages/` for its older kind of navigation.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from marsseg import services
from tests.browser.conftest import Lab, Visitor
from tests.support import labs, terrain

pytestmark = pytest.mark.browser


def test_a_dataset_by_its_address(lab_server: Lab, visitor: Visitor, tmp_path: Path) -> None:
    lab = labs.make_lab(lab_server.settings.home)
    services.add_dataset(lab, terrain.write_course_file(tmp_path / "ridge.npz", 30, seed=7))
    page = visitor.open(f"{lab_server.serve().url}/data?dataset_name=ridge")
    sees_the_app_around(page, "Data")
    expect(page.get_by_role("combobox", name="Dataset")).to_have_value("ridge")
    assert page.url.endswith("/data?dataset_name=ridge")
    visitor.assert_all_went_well()


def test_a_run_by_its_address(lab_server: Lab, visitor: Visitor) -> None:
    lab = labs.make_lab(lab_server.settings.home)
    run = labs.finish_run(lab, labs.config(), name="the one that was sent around")
    labs.finish_run(lab, labs.config(model__depth=2), name="a later one")
    page = visitor.open(f"{lab_server.serve().url}/runs?run={run.id}")
    sees_the_app_around(page, "Runs")
    expect(page.get_by_role("heading", name=run.name)).to_be_visible()
    assert page.url.endswith(f"/runs?run={run.id}")
    visitor.assert_all_went_well()


def test_the_leaderboard_by_its_name(lab_server: Lab, visitor: Visitor) -> None:
    lab = labs.make_lab(lab_server.settings.home)
    labs.finish_run(lab, labs.config())
    page = visitor.open(f"{lab_server.serve().url}/leaderboard?lens=strict")
    sees_the_app_around(page, "Leaderboard")
    expect(page.get_by_role("radio", name="strict")).to_be_checked()
    expect(page.get_by_text("Page not found")).to_be_hidden()
    visitor.assert_all_went_well()


def sees_the_app_around(page: Page, title: str) -> None:
    """The page's title, and the four groups of the navigation."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    navigation = page.get_by_test_id("stSidebarNav")
    for group in ("Prepare", "Experiment", "Compare", "Use"):
        expect(navigation.get_by_text(group, exact=True)).to_be_visible()
