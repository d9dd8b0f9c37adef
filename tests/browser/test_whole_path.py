"""The main job from the first visit to a mask on disk: a real browser, a real server, a real run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from marsseg import services
from tests.browser import steps
from tests.browser.conftest import Lab, Visitor
from tests.support import terrain

PAIRS = 60
EPOCHS = 30  # long enough for several looks at it, on a fast machine too

pytestmark = [pytest.mark.browser, pytest.mark.training, pytest.mark.processes]


def test_from_the_first_visit_to_a_mask_on_disk(lab_server: Lab, visitor: Visitor, tmp_path: Path) -> None:
    server = lab_server.serve()
    page = visitor.open(server.url)
    sees_what_to_press_first(page)
    imports(page, terrain.write_course_file(tmp_path / "ridge.npz", PAIRS))
    steps.go_to(page, "New run")
    steps.configure_small_run(page, "ridge", epochs=EPOCHS)
    steps.start_run(page)

    board = visitor.open(server.url)
    steps.mark(board)
    steps.mark(page)
    sees_progress_move(page)
    table = sees_the_row_arrive(board)
    assert steps.is_marked(page)
    assert steps.is_marked(board)
    (run,) = services.list_runs(services.open_lab(lab_server.settings))
    assert (run.config.model.filters, run.config.data.dataset) == (4, "ridge")

    takes_a_mask_away(page, tmp_path / "sol 7.png")
    steps.select_first_row(table)
    looks_at_masks(board, visitor)
    visitor.assert_all_went_well()


def sees_what_to_press_first(page: Page) -> None:
    """The first visit makes the demo terrain; nothing has been trained."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaderboard")
    expect(page.get_by_role("heading", name="No results yet")).to_be_visible()
    expect(page.get_by_role("button", name="Run the demo ablation")).to_be_enabled()


def imports(page: Page, course_file: Path) -> None:
    """The demo dataset is there; a file is imported, and its own report follows by itself."""
    steps.go_to(page, "Data")
    dataset = page.get_by_role("combobox", name="Dataset")
    expect(dataset).to_have_value(services.DEMO_DATASET)
    steps.import_by_path(page, course_file)
    total, outliers = PAIRS + terrain.N_OUTLIERS, terrain.N_OUTLIERS
    outcome = f"ridge.npz is imported as ridge: {total} pairs, {outliers} suspected outliers."
    expect(page.get_by_text(outcome)).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_hidden()
    expect(dataset).to_have_value("ridge")
    kept = page.get_by_test_id("stMetric").filter(has_text="Kept")
    expect(kept.get_by_test_id("stMetricValue")).to_have_text(str(PAIRS))


def sees_progress_move(page: Page) -> None:
    """The same bar says one thing and later another."""
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_have_text(steps.EPOCH)
    before = bar.inner_text()
    expect(bar).not_to_have_text(before)


def sees_the_row_arrive(board: Page) -> Locator:
    """A page that was open all the time shows the run when it has ended; returns the table."""
    table = steps.board_table(board)
    expect(steps.cells(table, f"filters 4, epochs {EPOCHS}, batch 4")).to_have_count(1)
    # While the run exports, the table may still be drawn anew and lose a click.
    expect(board.get_by_text("0 active · 0 queued")).to_be_visible()
    return table


def looks_at_masks(page: Page, visitor: Visitor) -> None:
    """Image, truth and prediction are painted pixel by pixel; opacity asks the server nothing."""
    page.get_by_role("button", name="Compare masks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Masks")
    tile = page.locator(".viewer .row").first
    image, truth, prediction = (tile.locator("canvas").nth(place) for place in range(3))
    expect(prediction).to_be_visible()
    row = int(tile.get_by_role("heading").inner_text().removeprefix("Tile "))
    images, masks = terrain.tiles(PAIRS)

    page.get_by_label("Stretch contrast").uncheck()
    np.testing.assert_array_equal(steps.pixels(image), np.repeat(images[row][..., None], 3, axis=2))
    before = steps.pixels(prediction)
    sent = visitor.messages_sent(page)
    page.get_by_role("slider", name="Opacity").press("End")
    np.testing.assert_array_equal(steps.pixels(truth), steps.colored(masks[row]))
    predicted = steps.classes(steps.pixels(prediction))
    assert set(np.unique(predicted)) <= {1, 2, 3, 4}, "terrain only"
    assert (before != steps.pixels(prediction)).any()
    assert sent > 0
    assert visitor.messages_sent(page) == sent


def takes_a_mask_away(page: Page, path: Path) -> None:
    """An uploaded image is shown under its mask, and the same mask is downloaded."""
    images, _ = terrain.tiles(3)
    picture = np.concatenate(images)[:150, :100]
    Image.fromarray(picture).save(path)
    steps.go_to(page, "Segment")
    page.locator("input[type=file]").set_input_files(path)
    canvas = page.locator(".viewer canvas")
    expect(canvas).to_be_visible()
    page.get_by_role("slider", name="Opacity").press("End")
    with page.expect_download() as download:
        page.get_by_role("button", name="Mask PNG").click()
    assert download.value.suggested_filename == "sol 7_mask.png"
    with Image.open(download.value.path()) as mask:
        assert (mask.mode, mask.size) == ("P", (100, 150))
        np.testing.assert_array_equal(np.asarray(mask), steps.classes(steps.pixels(canvas)))
