"""Data: the report on a dataset, overruling it, and importing another."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services import imports
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import charts, labels, metric, open_page, press, viewers, words
from tests.support.labs import DATASET
from tests.support.terrain import N_OUTLIERS, write_course_file


def ask_for_import(
    app: AppTest, *, path: str = "", upload: tuple[str, bytes] | None = None, name: str = ""
) -> AppTest:
    """Fill and send the form behind "Add dataset"."""
    app.get_by_key(keys.IMPORT_PATH).set_value(path)
    app.get_by_key(keys.IMPORT_NAME).set_value(name)
    if upload is not None:
        app.get_by_key(keys.import_upload(0)).upload(*upload)
    return press(app, "Import")


def wait_and_look(app: AppTest) -> AppTest:
    """See the outcome of all imports, as the page does by itself when they end."""
    for job in services.list_imports():
        services.wait_for_import(job.id, timeout=60)
    return app.run()


@pytest.fixture
def course_file(tmp_path: Path) -> Path:
    return write_course_file(tmp_path / "more.npz", 20, seed=5)


def test_the_report_counts_pairs_and_what_cleaning_leaves(lab: Lab) -> None:
    app = open_page("data")
    assert [metric(app, label) for label in ("Pairs", "Kept", "Unlabelled test tiles")] == ["66", "60", "5"]
    assert charts(app) == 1
    parts = app.dataframe[0].value
    assert parts["Part"].tolist() == ["training", "validation", "test"]
    assert parts["Tiles"].sum() == 60
    assert (parts["With big rock"] > 0).all()


def test_a_suspected_group_can_be_kept_and_dropped_again(lab: Lab) -> None:
    group = services.dataset_report(lab, DATASET).groups[0]
    app = open_page("data", data_tab="Cleaning report")
    assert f"{N_OUTLIERS} tiles share one mask" in words(app)
    decision = keys.group_keep(group.id)
    app.get_by_key(decision).set_value("keep").run()
    assert metric(app, "Kept") == "66"
    assert open_page("data").dataframe[0].value["Tiles"].sum() == 66
    app.get_by_key(decision).set_value("drop").run()
    assert metric(app, "Kept") == "60"


def test_a_split_that_leaves_nothing_to_train_on_is_refused(lab: Lab) -> None:
    app = open_page("data")
    app.get_by_key(keys.SPLIT_VALIDATION).set_value(60)
    app.get_by_key(keys.SPLIT_TEST).set_value(60)
    app.run()
    assert "lower one" in app.error[0].value
    assert metric(app, "Kept") == "60"


def test_tiles_can_be_looked_through_by_class(lab: Lab) -> None:
    app = open_page("data", data_tab="Tiles")
    assert "Page 1 of 6 · 66 tiles" in words(app)
    app.get_by_key(keys.BROWSER_CLASSES).set_value([4]).run()
    masks = services.dataset_tiles(lab, DATASET).masks
    with_rock = int((masks == 4).any(axis=(1, 2)).sum())
    assert f"· {with_rock} tiles" in words(app)
    app.get_by_key(keys.BROWSER_CLASSES).set_value([]).run()
    app.get_by_key(keys.BROWSER_DROPPED).set_value(True).run()
    assert f"Page 1 of 1 · {N_OUTLIERS} tiles" in words(app)
    shown = [panel["title"] for row in viewers(app)[-1]["rows"] for panel in row["panels"]]
    assert shown == [f"Tile {row}" for row in range(60, 66)]


def test_an_import_by_path_ends_with_its_dataset_on_show(lab: Lab, course_file: Path) -> None:
    app = wait_and_look(ask_for_import(open_page("data"), path=str(course_file), name="<b>more</b>"))
    assert not app.exception
    assert "26 pairs" in app.success[0].value
    assert "<b>" not in app.success[0].value
    assert app.get_by_key(keys.DATASET).options == [DATASET, "<b>more</b>"]
    assert metric(app, "Pairs") == "26"
    assert "Show" not in labels(app)
    app.get_by_key(keys.DATASET).set_value(DATASET).run()
    press(app, "Show")
    assert metric(app, "Pairs") == "26"
    press(app, "Dismiss")
    assert not app.success


def test_an_import_shows_how_far_it_is(lab: Lab, course_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, progress: services.datasets.Progress, **__: Any) -> None:
        progress(0.4, "finding outliers")
        while not released:
            time.sleep(0.01)
        raise services.datasets.DatasetError("let go")

    released: list[bool] = []
    monkeypatch.setattr(imports, "add_dataset", slow)
    app = ask_for_import(open_page("data"), path=str(course_file))
    try:
        while services.list_imports()[0].what == "waiting":
            time.sleep(0.01)
        app.run()
        assert app.progress[0].value == 40
        assert app.progress[0].text == "Importing more.npz: finding outliers"
    finally:
        released.append(True)
    assert "let go" in wait_and_look(app).error[0].value


def test_the_same_file_again_changes_nothing(lab: Lab, course_file: Path) -> None:
    services.add_dataset(lab, course_file, name="more")
    again = shutil.copy(course_file, course_file.with_name("again.npz"))
    app = wait_and_look(ask_for_import(open_page("data"), path=str(again)))
    assert "was added before, as more; nothing changed" in app.info[0].value
    assert [record.name for record in services.list_datasets(lab)] == [DATASET, "more"]


@pytest.mark.parametrize("path", ["nowhere.npz", "empty.npz", "text.npz", "folder"])
def test_what_is_no_dataset_is_refused_in_one_sentence_and_the_page_goes_on(
    lab: Lab, tmp_path: Path, path: str
) -> None:
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("no archive", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    app = wait_and_look(ask_for_import(open_page("data"), path=str(tmp_path / path)))
    assert not app.exception
    assert len(app.error) == 1
    assert path in app.error[0].value.replace("\\", "")
    assert metric(app, "Pairs") == "66"
    assert [record.name for record in services.list_datasets(lab)] == [DATASET]


def test_an_upload_is_imported(lab: Lab, course_file: Path) -> None:
    app = ask_for_import(open_page("data"), upload=("my tiles.npz", course_file.read_bytes()))
    app = wait_and_look(app)
    assert not app.exception
    assert [record.name for record in services.list_datasets(lab)] == [DATASET, "my tiles"]
    assert not list(lab.settings.artifacts.glob("upload-*"))


def test_an_upload_that_is_no_dataset_leaves_nothing_behind(lab: Lab) -> None:
    app = wait_and_look(ask_for_import(open_page("data"), upload=("bad.npz", b"PK\x03\x04 and then nothing")))
    assert not app.exception
    assert "bad.npz" in app.error[0].value
    assert not list(lab.settings.artifacts.glob("upload-*"))


def test_an_import_of_nothing_asks_what_to_import(lab: Lab) -> None:
    app = ask_for_import(open_page("data"))
    assert "give a path or choose a file" in app.error[0].value
    assert not services.list_imports()


def test_a_path_and_an_upload_at_once_are_refused(lab: Lab, course_file: Path) -> None:
    upload = ("my tiles.npz", course_file.read_bytes())
    app = ask_for_import(open_page("data"), path=str(course_file), upload=upload)
    assert "both an upload" in app.error[0].value
    assert not services.list_imports()


def test_the_form_closes_and_is_empty_once_an_import_has_begun(lab: Lab, course_file: Path) -> None:
    app = open_page("data")
    app.session_state[keys.IMPORT_OPEN] = True
    ask_for_import(app, upload=("letter.docx", b"PK"))
    assert "is not an .npz file" in app.error[0].value
    assert app.session_state[keys.IMPORT_OPEN]
    ask_for_import(app, upload=("my tiles.npz", course_file.read_bytes()), name="mine")
    assert not app.session_state[keys.IMPORT_OPEN]
    wait_and_look(app)
    assert app.get_by_key(keys.DATASET).value == "mine"
    assert app.get_by_key(keys.import_upload(1)).value is None
    assert app.get_by_key(keys.IMPORT_NAME).value == ""


def test_an_import_that_another_session_began_leaves_the_choice_alone(lab: Lab, course_file: Path) -> None:
    app = open_page("data")
    wait_and_look(ask_for_import(open_page("data"), path=str(course_file), name="theirs"))
    assert app.run().get_by_key(keys.DATASET).value == DATASET
    assert "Show" in labels(app)


def test_a_dataset_whose_files_are_gone_is_said_and_another_can_be_chosen(
    lab: Lab, course_file: Path
) -> None:
    services.add_dataset(lab, course_file, name="more")
    gone = services.list_datasets(lab)[0]
    shutil.rmtree(lab.settings.datasets_dir / gone.sha256)
    app = open_page("data", dataset_name=DATASET)
    assert not app.exception
    assert len(app.error) == 1
    app.get_by_key(keys.DATASET).set_value("more").run()
    assert metric(app, "Pairs") == "26"


def test_an_import_whose_dataset_was_renamed_since_offers_no_link_to_it(lab: Lab, course_file: Path) -> None:
    app = wait_and_look(ask_for_import(open_page("data"), path=str(course_file), name="more"))
    services.rename_dataset(lab, "more", "most")
    app.run()
    assert not app.exception
    assert "26 pairs" in app.success[0].value
    assert "Show" not in labels(app)


def test_without_any_dataset_the_page_says_what_to_do(lab: Lab) -> None:
    services.remove_dataset(lab, DATASET)
    app = open_page("data")
    assert not app.exception
    assert "No dataset yet" in words(app)
