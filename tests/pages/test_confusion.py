from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.classes import CLASS_NAMES
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import open_page, words
from tests.support.labs import config, epoch_record, finish_run, queue_run, start_run


def view(run_id: str) -> AppTest:
    return open_page("runs", run=run_id).get_by_key(keys.RUN_VIEW).set_value("Confusion").run()


def heat(app: AppTest) -> tuple[list[str], np.ndarray]:
    """Names of the classes on show, and shares of each row."""
    (chart,) = app.get("plotly_chart")
    figure = json.loads(chart.proto.spec)
    return figure["layout"]["xaxis"]["ticktext"], np.array(figure["data"][0]["z"], float)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_the_shares_are_those_of_the_stored_matrices(lab: Lab, split: str) -> None:
    run = finish_run(lab, config())
    app = view(run.id)
    app.get_by_key(keys.CONFUSION_SPLIT).set_value(split).run()
    for decoding, first in (("terrain_only", 1), ("argmax", 0)):
        app.get_by_key(keys.CONFUSION_DECODING).set_value(decoding).run()
        (judged,) = lab.store.list_evaluations([run.id], split, decoding)
        pixels = judged.confusions.sum(axis=0)[first:, first:]
        names, shares = heat(app)
        assert names == list(CLASS_NAMES[first:])
        np.testing.assert_allclose(shares, pixels / pixels.sum(axis=1, keepdims=True))
        assert ("unlabelled" in words(app)) == (decoding == "argmax")


def test_of_a_first_stage_all_terrain_is_one_class(lab: Lab) -> None:
    run = finish_run(lab, config(data__target="background", loss__class_weights__background=1.0))
    (judged,) = lab.store.list_evaluations([run.id], "test", "argmax")
    pixels = judged.confusions.sum(axis=0)
    app = view(run.id)
    names, shares = heat(app)
    assert names == ["background", "terrain"]
    assert shares[1, 1] == pytest.approx(pixels[1:, 1:].sum() / pixels[1:].sum())
    assert shares[0, 1] == pytest.approx(pixels[0, 1:].sum() / pixels[0].sum())
    assert not [control for control in app.segmented_control if control.label == "Decoding"]


def test_a_run_that_has_not_been_judged_says_when_it_will_be(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config()).id)
    lab.store.add_epoch(run.id, token, epoch_record(1))
    assert services.confusion_of(lab, run.id, "test", "argmax") is None
    assert "appears when the run has been evaluated" in words(view(run.id))
