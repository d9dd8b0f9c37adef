from __future__ import annotations

import pytest

from marsseg import services
from marsseg.errors import ConfigError, DatasetError
from marsseg.presets import PRESETS, get_preset
from marsseg.services.lab import Lab
from tests.support.labs import config


def _toggle(label: str) -> services.Toggle:
    return next(toggle for toggle in services.TOGGLES if toggle.label == label)


def test_a_plan_changes_one_thing_at_a_time_and_repeats_with_new_seeds() -> None:
    toggles = [_toggle("Residual connections"), _toggle("Focal loss")]
    planned = services.plan_ablation(config(), toggles, repeats=2)
    assert [run.name for run in planned[:3]] == ["baseline", "+residual", "CE 0, focal 1"]
    assert [run.config.train.seed for run in planned] == [0, 0, 0, 1, 1, 1]


def test_toggles_the_baseline_already_has_are_left_out() -> None:
    toggles = [_toggle("Residual connections"), _toggle("Squeeze-and-Excitation")]
    planned = services.plan_ablation(config(model__residual=True), toggles)
    assert [run.name for run in planned] == ["baseline", "+SE"]


def test_no_repeats_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        services.plan_ablation(config(), [], repeats=0)


def test_every_toggle_changes_the_default_configuration() -> None:
    planned = services.plan_ablation(config(), services.TOGGLES)
    assert len(planned) == 1 + len(services.TOGGLES)
    assert len({run.name for run in planned}) == len(planned)


def test_a_study_is_queued_in_the_order_of_its_plan(lab: Lab) -> None:
    planned = services.plan_ablation(config(), [_toggle("SiLU")])
    study, runs = services.submit_study(lab, "  act  ", config(), planned)
    assert study.name == "act"
    assert [run.id for run in services.queue(lab)] == [run.id for run in runs]
    assert {run.study_id for run in runs} == {study.id}


def test_the_baseline_of_a_study_says_of_which(lab: Lab) -> None:
    planned = services.plan_ablation(config(), [_toggle("SiLU")])
    _, runs = services.submit_study(lab, "Activations", config(), planned)
    assert [run.name for run in runs] == ["Activations · baseline", "act silu"]


def test_a_study_with_a_run_that_cannot_work_leaves_nothing(lab: Lab) -> None:
    planned = services.plan_ablation(config(), [_toggle("SiLU")])
    hopeless = services.PlannedRun("too large", config(train__batch_size=64))
    with pytest.raises(DatasetError, match="fewer than one batch"):
        services.submit_study(lab, "Activations", config(), [*planned, hopeless])
    assert not services.list_runs(lab)
    assert not lab.store.list_studies()


def test_the_demo_ablation_is_three_small_runs_that_differ() -> None:
    planned = services.demo_ablation()
    assert len(planned) == 3
    assert len({run.config.fingerprint("demo") for run in planned}) == 3
    assert {run.config.data.dataset for run in planned} == {services.DEMO_DATASET}


def test_presets_hold_the_report_both_ways_and_a_ladder_that_climbs_one_rung_at_a_time() -> None:
    printed, run = get_preset("report-as-printed").config.loss, get_preset("report-as-run").config.loss
    assert (printed.focal_gamma, printed.focal_alpha) == (0.25, 2.0)
    assert (run.focal_gamma, run.focal_alpha) == (2.0, 0.25)
    ladder = [PRESETS[f"ladder-{n}"].config for n in range(1, 7)]
    assert len({config.fingerprint("x") for config in ladder}) == 6
    assert ladder[-1] == get_preset("report-as-run").config
    assert all(preset.source and preset.note is not None for preset in PRESETS.values())


def test_a_plan_takes_as_long_as_its_runs_one_after_the_other(lab: Lab) -> None:
    toggles = [_toggle("Residual connections"), _toggle("Squeeze-and-Excitation")]
    planned = services.plan_ablation(config(), toggles, repeats=3)
    each = [services.preview(lab, run.config).seconds_total for run in planned]
    assert services.plan_seconds(lab, planned) == pytest.approx(sum(each))
    assert len(set(each)) > 1
