"""Two stages on the pages: the first tells no terrain, and only some lenses see what it does."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services import TwoStages
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.inference.conftest import LEVELS, METADATA, brightness_weights, nearest_level, write_network
from tests.pages.driver import open_page, viewers, words
from tests.pages.test_segment import as_it_is, drop, picture
from tests.support.labs import config, finish_queued

UNSEEN = "cannot see stage one"


@pytest.fixture
def stages(lab: Lab) -> TwoStages:
    """Both stages and what combines them, each with a network."""
    queued = services.submit_two_stages(lab, config(), name="two")
    runs = [finish_queued(lab, run) for run in (queued.background, queued.terrain, queued.combined)]
    for run in runs:
        write_network(lab.settings.run_dir(run.id) / "model.onnx", *brightness_weights(), METADATA, 8)
    return TwoStages(*runs)


def mask(app: AppTest) -> np.ndarray:
    panel = viewers(app)[0]["rows"][0]["panels"][0]
    return np.frombuffer(zlib.decompress(base64.b64decode(panel["masks"][0])), np.uint8).reshape(64, 96)


def test_the_first_stage_shows_the_iou_of_background_and_no_terrain_score(stages: TwoStages) -> None:
    app = open_page("runs", run=stages.background.id)
    assert not app.exception
    assert "Validation IoU of background" in words(app)
    assert services.FIRST_STAGE_ALONE in words(app)
    assert "Test mean IoU" not in {metric.label for metric in app.metric}
    second = open_page("runs", run=stages.terrain.id)
    assert "Validation IoU by class" in words(second)
    assert "Test mean IoU" in {metric.label for metric in second.metric}


def test_scores_of_both_together_come_with_what_they_cannot_see(stages: TwoStages) -> None:
    assert UNSEEN in words(open_page("runs", run=stages.combined.id))
    assert UNSEEN in words(open_page("leaderboard"))
    app = open_page("leaderboard", lens="strict")
    assert UNSEEN in words(app)
    assert UNSEEN not in words(app.get_by_key(keys.DECODING).set_value("argmax").run())


def test_only_networks_that_tell_terrain_segment_and_show_masks(stages: TwoStages) -> None:
    ids = {stages.terrain.id, stages.combined.id}
    assert {run.id for run, _ in services.usable_runs(services.open_lab())} == ids
    app = open_page("masks", runs=stages.background.id)
    assert not app.exception
    assert "no masks of terrain" in app.warning[0].value
    assert stages.background.id not in " ".join(app.get_by_key(keys.MASK_RUNS).options)


def test_two_stages_may_say_background_and_one_network_only_if_asked(stages: TwoStages) -> None:
    pixels = np.tile(np.repeat(LEVELS.astype(np.uint8), 20)[:96], (64, 1))
    combined = drop(as_it_is(open_page("segment", run=stages.combined.id)), "sol.png", picture())
    np.testing.assert_array_equal(mask(combined), nearest_level(pixels, terrain_only=False))
    assert "may be background" in words(combined)
    alone = drop(as_it_is(open_page("segment", run=stages.terrain.id)), "sol.png", picture())
    np.testing.assert_array_equal(mask(alone), nearest_level(pixels))
    alone.get_by_key(keys.segment_decoding("terrain_only")).set_value("argmax").run()
    np.testing.assert_array_equal(mask(alone), nearest_level(pixels, terrain_only=False))
