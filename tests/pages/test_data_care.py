"""Data: renaming a dataset, and removing one."""

from __future__ import annotations

from pathlib import Path

import pytest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import AWKWARD, PAGES, go_to, labels, metric, open_page, press, read_as_markup, words
from tests.support.labs import DATASET, config, finish_run, queue_run
from tests.support.terrain import write_course_file


@pytest.fixture
def more(lab: Lab, tmp_path: Path) -> Path:
    """The file of a second dataset, `more`, of 26 pairs."""
    path = write_course_file(tmp_path / "more.npz", 20, seed=5)
    services.add_dataset(lab, path, name="more")
    return path


def test_a_dataset_can_be_renamed_and_stays_on_show(lab: Lab, more: Path) -> None:
    record = lab.store.get_dataset("more")
    app = open_page("data", dataset_name="more")
    app.get_by_key(keys.dataset_name(record.id)).set_value(f" {AWKWARD}  ").run()
    assert not app.exception
    assert app.get_by_key(keys.DATASET).options == [DATASET, AWKWARD]
    assert app.get_by_key(keys.DATASET).value == AWKWARD
    assert metric(app, "Pairs") == "26"
    assert "Renamed to" in app.toast[0].value
    assert read_as_markup(app) == []


def test_a_name_that_another_dataset_has_is_refused(lab: Lab, more: Path) -> None:
    record = lab.store.get_dataset("more")
    app = open_page("data", dataset_name="more")
    app.get_by_key(keys.dataset_name(record.id)).set_value(DATASET).run()
    assert not app.exception
    assert "is here already; choose another name" in app.toast[0].value
    assert [each.name for each in services.list_datasets(lab)] == [DATASET, "more"]
    assert app.get_by_key(keys.DATASET).value == "more"


def test_a_dataset_is_removed_after_a_question_that_says_what_goes(lab: Lab, more: Path) -> None:
    record = lab.store.get_dataset("more")
    app = press(open_page("data", dataset_name="more"), "Remove …")
    assert "Remove this dataset?" in words(app)
    assert "**more**: 26 pairs and " in words(app)
    assert "imported copy goes: " in words(app)
    press(app, "Keep")
    assert "Remove this dataset?" not in words(app)
    assert metric(app, "Pairs") == "26"
    press(press(app, "Remove …"), "Remove for good")
    assert not app.exception
    assert "Removed more." in app.toast[0].value
    assert app.get_by_key(keys.DATASET).options == [DATASET]
    assert metric(app, "Pairs") == "66"
    assert not (lab.settings.datasets_dir / record.sha256).exists()
    assert more.is_file()


def test_the_last_dataset_can_be_removed(lab: Lab) -> None:
    app = press(press(open_page("data"), "Remove …"), "Remove for good")
    assert not app.exception
    assert "No dataset yet" in words(app)
    assert not {"Remove …", "Rename"} & labels(app)


def test_a_dataset_that_runs_use_stays_and_they_are_named(lab: Lab) -> None:
    runs = [queue_run(lab, config(train__seed=seed), name=AWKWARD) for seed in range(2)]
    app = press(open_page("data"), "Remove …")
    assert "This dataset is in use" in words(app)
    assert "2 runs use" in words(app)
    assert all(run.id in words(app) for run in runs)
    assert read_as_markup(app) == []
    assert "Remove for good" not in labels(app)
    press(app, "Close")
    assert "This dataset is in use" not in words(app)
    assert services.list_datasets(lab)


def test_pages_that_remember_a_dataset_go_on_when_it_is_renamed(lab: Lab, more: Path) -> None:
    finish_run(lab, config())
    finish_run(lab, config(data__dataset="more"))
    app = open_page("study")
    app.get_by_key(keys.STUDY_DATASET).set_value("more").run()
    app = go_to(app, "leaderboard")
    app.get_by_key(keys.BOARD_DATASET).set_value("more").run()
    services.rename_dataset(lab, "more", "most")
    for page in PAGES:
        app = go_to(app, page)
        assert not app.exception, page
