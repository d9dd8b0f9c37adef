"""What a person does on the pages, in a few words each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect

from marsseg.classes import CLASSES

EPOCH = re.compile(r"epoch \d+/\d+, step \d+/\d+")
ROW_HEIGHT = 35


def go_to(page: Page, link: str) -> None:
    """Follow a link of the navigation; its page has drawn its title when this returns."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=link, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(f"^{link}"))


def import_by_path(page: Page, path: Path) -> None:
    """Ask for an import on the data page."""
    page.get_by_role("button", name="Add dataset").click()
    page.get_by_role("textbox", name="Path on this machine").fill(str(path))
    page.get_by_role("button", name="Import", exact=True).click()


def fill_number(page: Page, label: str, value: int) -> None:
    """Type a number into a field; its label may say more, such as a unit and what it was."""
    field = page.get_by_role("spinbutton", name=re.compile(f"^{label}"))
    field.fill(str(value))
    field.press("Enter")


def open_section(page: Page, name: str) -> None:
    """Turn to a section of the configuration."""
    page.get_by_role("radio", name=name, exact=True).click()


def configure_small_run(page: Page, dataset: str, *, epochs: int) -> None:
    """Fill the form of a new run with a small network on `dataset`."""
    fill_number(page, "Depth", 2)
    fill_number(page, "Filters", 4)
    open_section(page, "Data")
    page.get_by_role("combobox", name="Dataset").click()
    page.get_by_role("option", name=dataset, exact=True).click()
    open_section(page, "Training")
    fill_number(page, "Epochs", epochs)
    fill_number(page, "Batch size", 4)


def start_run(page: Page) -> None:
    """Press Start; the runs page follows by itself."""
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")


def board_table(page: Page) -> Locator:
    """The leaderboard's table."""
    return page.get_by_role("region", name=re.compile("^Leaderboard"))


def cells(table: Locator, text: str) -> Locator:
    """Cells that hold exactly this text. The table is a canvas; what it tells screen readers is looked at."""
    return table.locator("[role=gridcell]").get_by_text(text, exact=True)


def select_first_row(table: Locator) -> None:
    """Tick the box at the left of a table's first row."""
    table.click(position={"x": 18, "y": 1.5 * ROW_HEIGHT})


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe out."""
    page.evaluate("window.wasHereBefore = true")


def is_marked(page: Page) -> bool:
    """Whether the page has not been loaded anew since `mark`."""
    return bool(page.evaluate("window.wasHereBefore === true"))


def pixels(canvas: Locator) -> np.ndarray[Any, Any]:
    """What stands on a canvas: (H, W, 3) uint8."""
    read = """canvas => {
        const { width, height } = canvas;
        return [height, width, Array.from(canvas.getContext("2d").getImageData(0, 0, width, height).data)];
    }"""
    height, width, values = canvas.evaluate(read)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def colored(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A mask in the classes' colours: (H, W) classes to (H, W, 3) uint8."""
    return np.array([terrain.rgb for terrain in CLASSES], np.uint8)[mask]


def classes(colors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The reverse of `colored`; fails where a colour is no class's."""
    matches = (colors[..., None, :] == np.array([terrain.rgb for terrain in CLASSES])).all(axis=-1)
    assert matches.any(axis=-1).all(), "a pixel has a colour of no class"
    return matches.argmax(axis=-1)
