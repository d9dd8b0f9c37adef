"""Augmentation on the data page: settings of New run, and tiles before and after."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.presets import PRESETS
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import go_to, links, open_page, press, viewers, words
from tests.support.labs import DATASET

BRIGHTNESS = keys.field(keys.TRAIN_FORM, "augment.brightness")
LINK = "See tiles before and after"


@pytest.fixture
def app(lab: Lab) -> AppTest:
    return open_page("data", data_tab=keys.AUGMENT_TAB)


def pairs(app: AppTest) -> list[dict[str, Any]]:
    (viewer,) = viewers(app)
    return list(viewer["rows"])


def pixels(panel: dict[str, Any]) -> np.ndarray:
    raw = zlib.decompress(base64.b64decode(panel["image"]))
    return np.frombuffer(raw, np.uint8).reshape(panel["height"], panel["width"])


def test_pairs_are_those_of_a_run_with_the_settings_on_show(app: AppTest, lab: Lab) -> None:
    app.get_by_key(BRIGHTNESS).set_value(1.0).run()
    assert not app.exception
    first = next(iter(PRESETS.values())).config
    wanted = first.with_values({"data.dataset": DATASET, "augment.brightness": 1.0})
    expected = services.preview_augmentation(lab, wanted).tiles
    assert [row["title"] for row in pairs(app)] == [f"Tile {tile.row}" for tile in expected]
    for row, tile in zip(pairs(app), expected, strict=True):
        before, after = row["panels"]
        np.testing.assert_array_equal(pixels(before), tile.image)
        np.testing.assert_array_equal(pixels(after), tile.new_image)
        assert before["masks"]
        assert after["masks"]


def test_another_draw_is_the_next_epoch(app: AppTest) -> None:
    assert "in epoch 1" in words(app)
    before = pairs(app)
    press(app, "Another draw")
    assert "in epoch 2" in words(app)
    assert pairs(app) != before


def test_settings_are_shared_with_new_run_in_both_directions(app: AppTest) -> None:
    app.get_by_key(BRIGHTNESS).set_value(0.5).run()
    go_to(app, "train")
    app.get_by_key(keys.form_section(keys.TRAIN_FORM)).set_value("augment").run()
    assert app.get_by_key(BRIGHTNESS).value == 0.5
    app.get_by_key(keys.field(keys.TRAIN_FORM, "augment.gamma")).set_value(0.25).run()
    go_to(app, "data")
    assert app.get_by_key(BRIGHTNESS).value == 0.5
    assert app.get_by_key(keys.field(keys.TRAIN_FORM, "augment.gamma")).value == 0.25


def test_new_run_leads_here_from_its_augmentation(lab: Lab) -> None:
    app = open_page("train")
    assert LINK not in links(app)
    app.get_by_key(keys.form_section(keys.TRAIN_FORM)).set_value("augment").run()
    (link,) = app.get("page_link")
    assert f"{keys.DATASET}={DATASET}" in link.proto.query_string
    assert f"{keys.DATA_TABS}={keys.AUGMENT_TAB}" in link.proto.query_string


def test_settings_that_cannot_work_are_said_in_place_of_the_pairs(app: AppTest) -> None:
    app.get_by_key(BRIGHTNESS).set_value(2.0).run()
    assert not app.exception
    assert "Brightness: must be at most 1" in words(app).replace("\\", "")
    assert "1 of the fields of New run cannot work yet" in words(app)
    assert not viewers(app)


def test_a_batch_that_the_dataset_cannot_fill_is_said_in_place_of_the_pairs(app: AppTest) -> None:
    go_to(app, "train")
    app.get_by_key(keys.form_section(keys.TRAIN_FORM)).set_value("train").run()
    app.get_by_key(keys.field(keys.TRAIN_FORM, "train.batch_size")).set_value(64).run()
    go_to(app, "data")
    assert "fewer than one batch" in app.error[0].value
    assert not viewers(app)
