from __future__ import annotations

import numpy as np
import pytest

from marsseg import services
from marsseg.errors import DatasetError
from marsseg.services.lab import Lab
from tests.support.labs import DATASET, config, finish_run, queue_run

FIRST_STAGE = {"data__target": "background", "loss__class_weights__background": 1.0}


def test_of_a_first_stage_all_terrain_weighs_as_one_class(lab: Lab) -> None:
    preview = services.preview(lab, config(**FIRST_STAGE, loss__class_weights__mode="inverse_frequency"))
    assert preview.weights[:2] == (1.0, 1.0)
    assert not [warning for warning in preview.warnings if "Background counts" in warning]


def test_the_preview_shows_the_weights_of_the_training_tiles(lab: Lab) -> None:
    run_config = config(loss__class_weights__mode="inverse_frequency")
    preview = services.preview(lab, run_config)
    train = services.split_of(lab, run_config.data).train
    counts = np.bincount(services.dataset_tiles(lab, DATASET).masks[train].ravel(), minlength=5)
    inverse = 1 / counts[1:]
    expected = inverse * counts[1:].sum() / (inverse * counts[1:]).sum()
    assert preview.weights[0] == 0
    assert preview.weights[1:] == pytest.approx(expected)


def test_time_is_estimated_from_runs_on_this_machine_once_there_are_any(lab: Lab) -> None:
    before = services.preview(lab, config())
    assert not before.measured
    finish_run(lab, config())
    after = services.preview(lab, config(train__epochs=10))
    assert after.measured
    # finish_run logs 40 images a second for the same network
    assert after.seconds_per_epoch == pytest.approx((48 + 0.3 * 6) / 40)
    wider = services.preview(lab, config(model__filters=32))
    assert wider.seconds_per_epoch > after.seconds_per_epoch


def test_a_batch_that_cannot_be_filled_is_refused_before_anything_starts(lab: Lab) -> None:
    with pytest.raises(DatasetError, match="48 training tiles, fewer than one batch of 49"):
        services.preview(lab, config(train__batch_size=49))
    assert services.preview(lab, config(train__batch_size=48)).split


def test_runs_ahead_are_counted(lab: Lab) -> None:
    queue_run(lab, config())
    assert services.preview(lab, config()).waiting.ahead == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data__flip_vertical": True}, "up-down"),
        ({"loss__class_weights__background": 1.0}, "Background counts"),
        ({"train__epochs": 5}, "plateau"),
        ({"train__epochs": 40, "train__warmup_epochs": 40}, "risen to its full height"),
        ({"model__deep_supervision": True, "model__depth": 1}, "there is no coarser level"),
        ({**FIRST_STAGE, "loss__class_weights__mode": "effective_number"}, "it weighs 1 as without"),
        (
            {**FIRST_STAGE, "loss__class_weights__mode": "manual",
             "loss__class_weights__manual": [1.0, 1.0, 2.0, 1.0, 1.0]},
            "it weighs as much as soil",
        ),
        ({"model__depth": 4, "model__bottleneck": "aspp"}, "4 pixels high; atrous rates 4 and 6 reach past"),
        ({"model__depth": 5, "model__bottleneck": "pyramid_pooling"}, "a single pixel pools nothing"),
        (
            {"loss__class_weights__mode": "manual", "loss__class_weights__manual": [0.0, 1.0, 1.0, 1.0, 60]},
            "Big rock would weigh 60; weights of 20 and less",
        ),
    ],
)  # fmt: skip
def test_unwise_choices_are_said(lab: Lab, change: dict[str, object], words: str) -> None:
    usual = {"train__epochs": 40}
    quiet = services.preview(lab, config(**usual)).warnings
    loud = services.preview(lab, config(**{**usual, **change})).warnings
    assert not any(words in warning for warning in quiet)
    assert any(words in warning for warning in loud)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("bottleneck", ["aspp", "pyramid_pooling"])
def test_a_pyramid_that_fits_its_features_needs_no_word(lab: Lab, depth: int, bottleneck: str) -> None:
    chosen = config(model__depth=depth, model__bottleneck=bottleneck, train__batch_size=8)
    assert not any("pixels high" in warning for warning in services.preview(lab, chosen).warnings)


def test_the_plateau_rule_is_not_missed_under_another_schedule(lab: Lab) -> None:
    warnings = services.preview(lab, config(train__epochs=5, train__schedule="cosine")).warnings
    assert not any("plateau" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train__epochs": 1}, "looks back over about 100 steps, and the run has 12."),
        ({"train__epochs": 8}, "looks back over about 100 steps, and the run has 96."),
        ({"train__epochs": 90, "train__ema_decay": 0.9995}, "over about 2,000 steps, and the run has 1,080."),
        ({"train__epochs": 9}, ""),
        ({"train__epochs": 1, "train__ema_decay": 0.9}, ""),
    ],
)
def test_an_average_of_weights_that_looks_back_past_the_start_is_said(
    lab: Lab, change: dict[str, object], sentence: str
) -> None:
    """48 training tiles in batches of 4 are 12 steps an epoch."""
    warnings = services.preview(lab, config(train__ema=True, **change)).warnings
    said = [warning for warning in warnings if "average of weights" in warning]
    assert len(said) == bool(sentence)
    assert all(sentence in warning for warning in said)


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        (
            {"dice": 1.0, "lovasz": 0.5},
            "Class weights act on cross-entropy only; Dice and Lovász-softmax count every labelled class "
            "alike.",
        ),
        (
            {"top_k": 1.0, "focal": 1.0, "focal_tversky": 1.0},
            "Class weights act on cross-entropy, focal and hard pixels only; focal Tversky counts every "
            "labelled class alike.",
        ),
        (
            {"cross_entropy": 0.0, "tversky": 1.0, "boundary": 1.0},
            "Class weights only say which classes are labelled; Tversky and boundary count every labelled "
            "class alike.",
        ),
        (
            {"generalized_dice": 1.0},
            "Class weights act on cross-entropy only; generalised Dice goes by the size of a class in the "
            "batch.",
        ),
        (
            {"generalized_dice": 1.0, "dice": 1.0},
            "Class weights act on cross-entropy only; Dice counts every labelled class alike and generalised "
            "Dice goes by the size of a class in the batch.",
        ),
    ],
)
def test_terms_that_do_not_use_the_chosen_class_weights_are_said(
    lab: Lab, terms: dict[str, float], sentence: str
) -> None:
    changes = {f"loss__{term}": weight for term, weight in terms.items()}
    weighted = config(**changes, loss__class_weights__mode="inverse_frequency")
    assert sentence in services.preview(lab, weighted).warnings
    assert not any(
        "Class weights" in warning for warning in services.preview(lab, config(**changes)).warnings
    )


def test_class_weights_that_every_term_uses_need_no_word(lab: Lab) -> None:
    run_config = config(loss__focal=1.0, loss__top_k=1.0, loss__class_weights__mode="effective_number")
    assert not any("Class weights" in warning for warning in services.preview(lab, run_config).warnings)
