"""Documents of runs: what a script reads agrees with what pages and boards say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from marsseg import services
from marsseg.metrics import LENSES
from marsseg.services.lab import Lab
from tests.support.labs import DATASET, config, finish_run

FIRST_STAGE = {"data__target": "background", "loss__class_weights__background": 1.0}


def test_a_first_stage_has_no_score_of_terrain_in_its_document(lab: Lab) -> None:
    run = finish_run(lab, config(**FIRST_STAGE), error_rate=0.3)
    scores = services.run_document(lab, run.id)["scores"]["test"]
    for lens in LENSES:
        for score in scores[lens].values():
            assert (score["mean_iou"], score["class_iou"][1:]) == (None, [None] * 4)
    rows = services.split_of(lab, run.config.data).test
    truth = services.dataset_tiles(lab, DATASET).masks[rows]
    masks = np.load(lab.settings.run_dir(run.id) / "predictions" / "test_argmax.npy")
    background = jaccard_score(truth.ravel() == 0, masks.ravel() == 0)
    assert scores["strict"]["argmax"]["class_iou"][0] == pytest.approx(background)


def test_the_second_stage_has_all_its_scores(lab: Lab) -> None:
    run = finish_run(lab, config(), error_rate=0.3)
    score = services.run_document(lab, run.id)["scores"]["test"]["terrain"]["terrain_only"]
    board = services.leaderboard(lab)
    assert score["mean_iou"] == pytest.approx(board.rows[0].score)
    assert score["class_iou"][0] is None, "JSON knows no NaN"
    assert score["class_iou"][1:] == pytest.approx(board.rows[0].class_iou[1:])
