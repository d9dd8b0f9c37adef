"""Segment: an image through a trained network."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord
from marsseg.ui import keys
from tests.inference.conftest import LEVELS, nearest_level
from tests.pages.driver import AWKWARD, charts, go_to, links, open_page, press, read_as_markup, viewers, words
from tests.support.labs import config, finish_run, queue_run


def picture(mode: str = "L", form: str = "PNG", size: tuple[int, int] = (96, 64)) -> bytes:
    """Bands of the five gray levels that the test's network tells apart."""
    width, height = size
    image = np.repeat(LEVELS.astype(np.uint8), -(-width // 5))[:width]
    content = io.BytesIO()
    Image.fromarray(np.tile(image, (height, 1))).convert(mode).save(content, form)
    return content.getvalue()


def drop(app: AppTest, name: str, content: bytes) -> AppTest:
    return app.get_by_key(keys.SEGMENT_UPLOAD).set_value((name, content, "image/png")).run()


def as_it_is(app: AppTest) -> AppTest:
    """The test's network tells classes by brightness, which matching would change."""
    return app.get_by_key(keys.SEGMENT_MATCH).set_value("never").run()


@pytest.fixture
def trained(scored: Lab) -> RunRecord:
    """The one run of the lab that has an exported network."""
    return services.usable_runs(scored)[0][0]


def test_without_a_network_the_page_says_how_to_get_one(lab: Lab) -> None:
    finish_run(lab, config())
    app = open_page("segment")
    assert "No trained network yet" in words(app)
    assert links(app) == {"Configure a run"}
    queue_run(lab, config())
    assert links(app.run()) == {"Configure a run", "Watch those under way"}


def test_an_image_gets_its_mask_shares_and_downloads(trained: RunRecord) -> None:
    app = drop(as_it_is(open_page("segment")), "sol 12.png", picture())
    assert not app.exception
    assert not app.error
    panel = viewers(app)[0]["rows"][0]["panels"][0]
    assert (panel["width"], panel["height"]) == (96, 64)
    mask = np.frombuffer(zlib.decompress(base64.b64decode(panel["masks"][0])), np.uint8).reshape(64, 96)
    assert np.array_equal(mask, nearest_level(np.asarray(Image.open(io.BytesIO(picture())))))
    assert panel["confidence"]
    assert charts(app) == 1
    assert {element.label for element in app.download_button} == {"Mask PNG", "Overlay PNG"}
    assert "the network worked on" in words(app)


@pytest.mark.parametrize(
    ("mode", "form"), [("RGB", "JPEG"), ("RGBA", "PNG"), ("CMYK", "TIFF"), ("I;16", "TIFF")]
)
def test_pictures_of_other_kinds(trained: RunRecord, mode: str, form: str) -> None:
    app = drop(open_page("segment"), f"frame.{form.lower()}", picture(mode, form, (130, 70)))
    assert not app.exception
    assert not app.error
    panel = viewers(app)[0]["rows"][0]["panels"][0]
    assert (panel["width"], panel["height"]) == (130, 70)


def test_a_huge_image_is_thinned_out_for_viewing_only(
    trained: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsseg.ui.segment_page._PIXELS_SHOWN", 96 * 64 / 4)
    app = drop(as_it_is(open_page("segment")), "wide.png", picture())
    panel = viewers(app)[0]["rows"][0]["panels"][0]
    assert (panel["width"], panel["height"]) == (48, 32)
    assert "96 × 64 pixels; one in 2 × 2 is shown" in panel["title"]


def flat(gray: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((32, 64), gray, np.uint8)).save(content, "PNG")
    return content.getvalue()


def test_an_image_far_brighter_than_the_tiles_is_matched_and_that_is_said(trained: RunRecord) -> None:
    app = drop(open_page("segment"), "bright.png", flat(250))  # tiles of the test's network have mean 64
    assert "much brighter than the training tiles" in app.info[0].value
    assert "were matched" in app.info[0].value
    as_it_is(app)
    assert not app.info
    assert "match its brightness" in app.warning[0].value
    drop(app, "usual.png", flat(70))
    assert not app.info
    assert not app.warning


def test_an_image_stays_while_a_person_looks_at_other_pages_until_it_is_removed(trained: RunRecord) -> None:
    app = drop(open_page("segment"), AWKWARD + ".png", picture())
    app = go_to(go_to(app, "data"), "segment")
    assert viewers(app)
    assert "Still here" in words(app)
    assert not read_as_markup(app)
    press(app, "Remove")
    assert not viewers(app)
    assert not app.download_button


@pytest.mark.parametrize(
    "content", [b"", b"no picture at all", picture()[:60]], ids=["empty", "text", "truncated"]
)
def test_what_is_no_picture_is_refused_in_one_sentence_and_the_page_goes_on(
    trained: RunRecord, content: bytes
) -> None:
    app = drop(open_page("segment"), "broken.png", content)
    assert not app.exception
    assert len(app.error) == 1
    assert not app.download_button
    assert not drop(app, "whole.png", picture()).error
    assert app.download_button


def test_the_best_network_is_chosen_unless_the_address_names_another(scored: Lab, trained: RunRecord) -> None:
    better = finish_run(scored, config(model__filters=4), error_rate=0.01, name=AWKWARD)
    here, there = (scored.settings.run_dir(run.id) / "model.onnx" for run in (trained, better))
    there.write_bytes(here.read_bytes())
    app = open_page("segment")
    assert app.get_by_key(keys.SEGMENT_RUN).value == better.id
    app.get_by_key(keys.SEGMENT_RUN).set_value(trained.id).run()
    assert app.query_params["run"] == trained.id
    assert open_page("segment", run=trained.id).get_by_key(keys.SEGMENT_RUN).value == trained.id
    services.delete(scored, [trained.id])
    assert app.run().get_by_key(keys.SEGMENT_RUN).value == better.id


def test_an_address_with_a_run_that_is_gone_says_that_another_is_chosen(trained: RunRecord) -> None:
    app = open_page("segment", run="r-00000000")
    assert "does not exist any more" in app.warning[0].value
    assert app.get_by_key(keys.SEGMENT_RUN).value == trained.id
    assert not open_page("segment", run=trained.id).warning
