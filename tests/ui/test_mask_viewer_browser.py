"""What the mask viewer draws and does in a browser, without asking the server."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import numpy as np
import pytest

from marsseg.classes import CLASSES
from marsseg.settings import PROJECT_ROOT

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

PAGE = Path(__file__).parent / "viewer_page.py"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
GRID, SCRUBBER = 0, 1


@pytest.fixture(scope="module")
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(PAGE), f"--server.port={port}"]
    server = subprocess.Popen(
        command,
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    )
    url = f"http://localhost:{port}"
    try:
        _wait_until_healthy(f"{url}/_stcore/health", server)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="module")
def browser():
    from scripts.browser import find_chromium

    path = find_chromium()
    if path is None:
        pytest.fail("no Chromium; python scripts/browser.py finds or installs one")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield started.new_context(viewport={"width": 1400, "height": 1000})  # its pages share a cache
        started.close()


@pytest.fixture
def page(browser, address):
    opened = browser.new_page()
    opened.set_default_timeout(60_000)
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.goto(address)
    opened.locator("canvas").nth(4).wait_for()
    yield opened
    assert opened.problems == []
    opened.close()


def _wait_until_healthy(url, server):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, "the page's server ended by itself"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail("the page's server did not answer")


def viewer(page, which):
    return page.locator(".viewer").nth(which)


def pixel(page, canvas, x, y):
    read = "(canvas, [x, y]) => Array.from(canvas.getContext('2d').getImageData(x, y, 1, 1).data)"
    return page.locator("canvas").nth(canvas).evaluate(read, [x, y])[:3]


def mixed(index, gray, opacity):
    return [channel * opacity + gray * (1 - opacity) for channel in CLASSES[index].rgb]


def no_stretch(page):
    viewer(page, GRID).get_by_label("Stretch contrast").uncheck()


def hover(page, canvas, x, y):
    box = page.locator("canvas").nth(canvas).bounding_box()
    page.mouse.move(box["x"] + (x + 0.5) * box["width"] / 128, box["y"] + (y + 0.5) * box["height"] / 64)


def readings(page):
    return [read.inner_text() for read in viewer(page, GRID).locator(".reading").all()]


def test_tiles_are_enlarged_three_times_and_alike(page):
    boxes = [page.locator("canvas").nth(i).bounding_box() for i in range(4)]
    assert {(box["width"], box["height"]) for box in boxes} == {(3 * 128, 3 * 64)}


def test_a_pixel_is_image_mixed_with_its_class_colour(page):
    no_stretch(page)
    assert pixel(page, 0, 50, 40) == [100, 100, 100]
    assert pixel(page, 1, 50, 40) == pytest.approx(mixed(2, 100, 0.45), abs=1)
    assert pixel(page, 2, 100, 40) == pytest.approx(mixed(4, 200, 0.45), abs=1)


def test_the_contrast_stretch_brightens(page):
    assert pixel(page, 0, 126, 0)[0] > 252
    assert pixel(page, 0, 1, 0)[0] < 2


def test_the_error_map_mutes_what_is_right_and_colours_what_is_wrong(page):
    no_stretch(page)
    red, green, blue = pixel(page, 3, 10, 40)
    assert max(red, green, blue) - min(red, green, blue) <= 6  # right: near gray
    assert pixel(page, 3, 100, 40) == pytest.approx(mixed(4, 200, 0.85), abs=1)
    assert len(set(pixel(page, 3, 100, 5))) == 1  # unlabelled: gray


def test_a_class_goes_off_and_on_by_its_legend(page):
    no_stretch(page)
    button = viewer(page, GRID).get_by_role("button", name="bedrock")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert pixel(page, 1, 50, 40) == [100, 100, 100]
    button.click()
    assert pixel(page, 1, 50, 40) == pytest.approx(mixed(2, 100, 0.45), abs=1)


def test_opacity_by_keyboard_outlives_a_rerun_and_a_reload(page):
    no_stretch(page)
    slider = viewer(page, GRID).get_by_role("slider", name="Opacity")
    slider.focus()
    page.keyboard.press("End")
    assert pixel(page, 1, 50, 40) == list(CLASSES[2].rgb)
    page.get_by_role("button", name="Run again").click()
    page.wait_for_timeout(500)
    assert pixel(page, 1, 50, 40) == list(CLASSES[2].rgb)
    page.reload()
    page.locator("canvas").nth(4).wait_for()
    assert pixel(page, 1, 50, 40) == list(CLASSES[2].rgb)


def test_pointing_reads_every_panel_at_that_pixel(page):
    hover(page, 1, 100, 20)
    assert readings(page) == ["gray 200", "soil", "big rock 0.25", "soil → big rock"]
    hover(page, 1, 10, 5)
    assert readings(page) == ["gray 20", "background", "background 0.25", "unlabelled"]
    page.mouse.move(2, 2)
    assert readings(page) == [""] * 4


def test_arrow_keys_read_too(page):
    page.locator("canvas").nth(1).focus()
    page.keyboard.press("Shift+ArrowUp")
    assert readings(page)[1] == "soil"
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowRight")
    assert readings(page)[:2] == ["gray 130", "bedrock"]


def test_names_are_text(page):
    assert viewer(page, GRID).get_by_role("heading").inner_text() == "tile <b>1</b>"
    assert page.get_by_text("run <i>a</i>").is_visible()


def test_pictures_without_room_go_below_or_all_are_made_to_fit(page):
    page.get_by_text("One line", exact=True).click()
    line = page.locator(".panels.line")
    line.wait_for()
    boxes = [page.locator("canvas").nth(i).bounding_box() for i in range(4)]
    assert {box["width"] for box in boxes} == {3 * 128}
    assert boxes[-1]["y"] > boxes[0]["y"]
    assert line.evaluate("line => line.scrollWidth == line.clientWidth")
    viewer(page, GRID).get_by_label("Fit to width").check()
    assert line.evaluate("line => line.scrollWidth == line.clientWidth")
    boxes = [page.locator("canvas").nth(i).bounding_box() for i in range(4)]
    assert {box["y"] for box in boxes} == {boxes[0]["y"]}
    viewer(page, GRID).get_by_label("Fit to width").uncheck()


def test_a_pair_that_lacks_little_room_shrinks_to_stand_side_by_side(page):
    page.get_by_text("A pair", exact=True).click()
    page.get_by_text("One line", exact=True).click()
    page.locator(".panels.line").wait_for()
    sync_api.expect(viewer(page, GRID).locator("canvas")).to_have_count(2)
    left, right = (page.locator("canvas").nth(i).bounding_box() for i in range(2))
    assert left["y"] == right["y"]
    assert 2.5 * 128 <= left["width"] == right["width"] < 3 * 128
    page.set_viewport_size({"width": 660, "height": 1000})
    page.wait_for_timeout(500)
    left, right = (page.locator("canvas").nth(i).bounding_box() for i in range(2))
    assert left["y"] < right["y"]
    assert left["width"] == right["width"] == 3 * 128


def test_the_scrubber_goes_through_epochs_and_follows_the_end(page):
    time_line = viewer(page, SCRUBBER).locator(".timeline")
    assert time_line.locator("output").inner_text() == "epoch 2, the best"
    viewer(page, SCRUBBER).get_by_label("Stretch contrast").uncheck()
    assert pixel(page, 4, 50, 40) == pytest.approx(mixed(1, 100, 0.45), abs=1)
    time_line.get_by_role("slider").press("Home")
    assert time_line.locator("output").inner_text() == "epoch 1"
    assert pixel(page, 4, 50, 40) == pytest.approx(mixed(0, 100, 0.45), abs=1)

    time_line.get_by_role("button", name="Play").click()
    sync_api.expect(time_line.locator("output")).to_have_text("epoch 2, the best")
    page.get_by_label("Epochs", exact=True).fill("3")
    page.get_by_label("Epochs", exact=True).press("Enter")
    sync_api.expect(time_line.locator("output")).to_have_text("epoch 3")

    time_line.get_by_role("slider").press("Home")
    page.get_by_label("Epochs", exact=True).fill("4")
    page.get_by_label("Epochs", exact=True).press("Enter")
    sync_api.expect(time_line.get_by_role("slider")).to_have_attribute("max", "3")
    assert time_line.locator("output").inner_text() == "epoch 1"


def test_what_was_unpacked_is_kept_up_to_a_limit_of_bytes(browser):
    source = (PROJECT_ROOT / "marsseg" / "ui" / "assets" / "mask_pixels.js").read_text("utf-8")
    frames = [zlib.compress(np.full(8 * 2**20, value, np.uint8).tobytes()) for value in range(40)]
    page = browser.new_page()
    ask = """async ([source, frames]) => {
      const { unpack, unpacked } = new Function(`${source}; return { unpack, unpacked }`)();
      const first = [];
      let most = 0;
      for (const frame of frames) {
        first.push((await unpack(frame))[0]);
        const kept = await Promise.all(unpacked.values());
        most = Math.max(most, kept.reduce((sum, bytes) => sum + bytes.length, 0));
      }
      const again = await unpack(frames.at(-1)) === await unpack(frames.at(-1));
      return [first, most / 2 ** 20, again];
    }"""
    first, most, again = page.evaluate(ask, [source, [base64.b64encode(frame).decode() for frame in frames]])
    page.close()
    assert first == list(range(40))
    assert 100 < most <= 136
    assert again
