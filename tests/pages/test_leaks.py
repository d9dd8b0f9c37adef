"""The leak guard on the pages: told before the start, with pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from marsseg import services
from marsseg.config import DataConfig
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import labels, open_page, press, viewers, words
from tests.support.copies import COPIES, PAIRS, add_copies
from tests.support.labs import DATASET


@pytest.fixture
def leaking(lab: Lab, tmp_path: Path) -> Lab:
    """A lab whose only dataset holds copies, some of which the usual split divides."""
    add_copies(lab, tmp_path)
    services.remove_dataset(lab, DATASET)
    return lab


def leak_of(lab: Lab, seed: int) -> services.LeakReport:
    return services.find_leaks(lab, DataConfig(dataset=COPIES, split_seed=seed))


def test_a_new_run_warns_and_shows_the_pairs_side_by_side(leaking: Lab) -> None:
    report = leak_of(leaking, 0)
    assert report.pairs
    app = open_page("train")
    assert not app.exception
    assert f"{len(report.pairs)} pair" in words(app)
    assert "divided between parts" in words(app)
    press(app, "Look at the pairs")
    assert not app.exception
    assert "Near-duplicate tiles in different parts" in words(app)
    shown = [[panel["title"] for panel in row["panels"]] for row in viewers(app)[-1]["rows"]]
    assert shown == [[f"Tile {row}" for row in pair.rows] for pair in report.pairs]


def test_a_study_on_folds_warns_of_what_any_of_them_divides(leaking: Lab) -> None:
    folds = [DataConfig(dataset=COPIES, folds=3, fold=fold) for fold in range(3)]
    assert not services.find_leaks(leaking, folds[0]).pairs
    report = services.find_leaks(leaking, *folds)
    app = open_page("study")
    app.get_by_key(keys.STUDY_FOLDS).set_value(3).run()
    assert not app.exception
    assert "in at least one of 3 folds" in words(app)
    press(app, "Look at the pairs")
    assert len(viewers(app)[-1]["rows"]) == len(report.pairs)


def test_a_split_that_keeps_pairs_together_warns_of_nothing(leaking: Lab) -> None:
    seed = leak_of(leaking, 0).better_seed
    app = open_page("data", dataset_name=COPIES)
    assert "Look at the pairs" in labels(app)
    app.get_by_key(keys.SPLIT_SEED).set_value(seed).run()
    assert not app.exception
    assert "Look at the pairs" not in labels(app)
    assert "No near-duplicate tiles lie in different parts." in words(app)
    assert f"{len(PAIRS)} near-duplicate pairs lie within one part" in words(app)
    assert "does not say which tiles were cut from one image" in words(app)


def test_a_clean_dataset_gets_no_warning_on_a_new_run(lab: Lab) -> None:
    app = open_page("train")
    assert not app.exception
    assert "near-duplicate" not in words(app)
