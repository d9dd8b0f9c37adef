from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from marsseg import services
from marsseg.config import RunConfig
from marsseg.config.describe import differences
from marsseg.errors import ConfigError, DatasetError
from marsseg.presets import PRESETS, get_preset
from marsseg.services.lab import Lab
from tests.support.labs import DATASET, config


def _toggle(label: str) -> services.Toggle:
    return next(toggle for toggle in services.TOGGLES if toggle.label == label)


def test_a_plan_changes_one_thing_at_a_time_and_repeats_with_new_seeds() -> None:
    toggles = [_toggle("Residual connections"), _toggle("Focal loss")]
    planned = services.plan_ablation(config(), toggles, repeats=2)
    assert [run.name for run in planned[:3]] == ["baseline", "+residual", "CE 0, focal 1"]
    assert [run.config.train.seed for run in planned] == [0, 0, 0, 1, 1, 1]


def test_a_plan_on_folds_runs_every_configuration_on_each_with_every_seed() -> None:
    planned = services.plan_ablation(config(data__folds=3), [_toggle("Residual connections")], repeats=2)
    places = [(run.name, run.config.train.seed, run.config.data.fold) for run in planned]
    wanted = [
        (name, seed, fold) for seed in (0, 1) for fold in (0, 1, 2) for name in ("baseline", "+residual")
    ]
    assert places == wanted
    assert {run.config.data.folds for run in planned} == {3}
    assert len({run.config.fingerprint("tiles") for run in planned}) == 2


def test_a_baseline_on_a_fold_is_planned_on_all_of_them() -> None:
    baseline = config(data__folds=4, data__fold=2)
    assert [run.config.data.fold for run in services.plan_ablation(baseline, [])] == [0, 1, 2, 3]


def test_folds_of_a_study_validate_every_tile_outside_the_test_part_once(lab: Lab) -> None:
    planned = services.plan_ablation(config(data__folds=4), [])
    study, runs = services.submit_study(lab, "folds", planned[0].config, planned)
    splits = [services.split_of(lab, run.config.data) for run in runs]
    judged = np.concatenate([split.validation for split in splits])
    kept = np.setdiff1d(np.arange(66), services.dataset_report(lab, "bands").record.dropped_rows)
    assert sorted(judged.tolist()) == np.setdiff1d(kept, splits[0].test).tolist()
    assert {tuple(split.test) for split in splits} == {tuple(splits[0].test)}
    assert {run.study_id for run in runs} == {study.id}


def test_toggles_the_baseline_already_has_are_left_out() -> None:
    toggles = [_toggle("Residual connections"), _toggle("Squeeze-and-Excitation")]
    planned = services.plan_ablation(config(model__residual=True), toggles)
    assert [run.name for run in planned] == ["baseline", "+SE"]


def test_no_repeats_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        services.plan_ablation(config(), [], repeats=0)


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


@pytest.mark.parametrize(
    "wishes",
    [
        services.Wishes(priority=5_000),
        services.Wishes(threads=2_000),
        services.Wishes(tags=("a,b",)),
        services.Wishes(notes="x" * 10_001),
    ],
)
def test_a_study_whose_wishes_are_refused_leaves_nothing(lab: Lab, wishes: services.Wishes) -> None:
    with pytest.raises(ConfigError):
        services.submit_two_stages(lab, config(), name="Two", wishes=wishes)
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


def test_what_is_recommended_is_the_default_with_what_its_note_names() -> None:
    recommended, default = get_preset("recommended").config, get_preset("default").config
    changed = set(differences(recommended, default))
    named = {"loss.dice", "augment.rock_oversampling", "augment.rock_paste", "train.schedule"}
    assert named < changed
    assert all(path.startswith(("train.", "augment.rock_")) for path in changed - named)


def test_a_plan_takes_as_long_as_its_runs_one_after_the_other(lab: Lab) -> None:
    toggles = [_toggle("Residual connections"), _toggle("Squeeze-and-Excitation")]
    planned = services.plan_ablation(config(), toggles, repeats=3)
    each = [services.preview(lab, run.config).seconds_total for run in planned]
    assert services.plan_seconds(lab, planned) == pytest.approx(sum(each))
    assert len(set(each)) > 1
    folds = services.plan_ablation(config(data__folds=3), [])
    assert services.plan_seconds(lab, folds) == pytest.approx(
        3 * services.preview(lab, folds[0].config).seconds_total
    )


def _budget(run: RunConfig) -> RunConfig:
    return run.with_values({"data.dataset": DATASET, "train.epochs": 3, "train.batch_size": 4})


def test_the_ladder_is_all_rows_of_the_report_in_its_order_with_one_budget_for_all() -> None:
    planned = services.plan_ladder(_budget, repeats=2)
    titles = [PRESETS[f"ladder-{number}"].title for number in range(1, 7)]
    assert [run.name for run in planned] == titles * 2
    assert [run.config.train.seed for run in planned] == [0] * 6 + [1] * 6
    assert {(run.config.train.epochs, run.config.train.batch_size) for run in planned} == {(3, 4)}
    changed = differences(planned[3].config, PRESETS["ladder-4"].config)
    assert set(changed) == {"data.dataset", "train.epochs", "train.batch_size"}
    assert len({run.config.fingerprint("x") for run in planned}) == 6


def test_the_ladder_on_folds_runs_each_row_on_all_of_them() -> None:
    planned = services.plan_ladder(lambda run: _budget(run).with_values({"data.folds": 2}))
    assert [run.config.data.fold for run in planned] == [0] * 6 + [1] * 6


@pytest.mark.parametrize("wanted", [True, False])
def test_a_ladder_of_which_a_row_would_add_nothing_is_refused(wanted: bool) -> None:
    with pytest.raises(ConfigError, match=r"squeeze_excite: is what “Ladder 6: .*” changes"):
        services.plan_ladder(lambda run: run.with_values({"model.squeeze_excite": wanted}))


def test_a_ladder_may_share_the_parameters_of_what_its_rows_add() -> None:
    planned = services.plan_ladder(lambda run: run.with_values({"loss.focal_gamma": 1.0}))
    assert {run.config.loss.focal_gamma for run in planned} == {1.0}


def test_the_board_calls_the_rows_of_the_ladder_as_the_report_does(lab: Lab) -> None:
    planned = services.plan_ladder(_budget)
    _, runs = services.submit_study(lab, "Report ladder", planned[0].config, planned)
    assert [run.name for run in runs] == [run.config.name for run in runs] == [p.name for p in planned]


def test_two_stages_are_planned_with_repeats_and_each_combination_waits_for_its_own(lab: Lab) -> None:
    planned = services.plan_two_stages(config(loss__class_weights__mode="inverse_frequency"), repeats=2)
    _, runs = services.submit_study(lab, "Two", planned[0].config, planned)
    assert [run.name for run in runs] == ["Two · background", "Two · terrain", "Two · combined"] * 2
    for first in (0, 3):
        members = (runs[first].id, runs[first + 1].id)
        assert runs[first + 2].config.combine.members == members
        assert [run.config.data.target for run in runs[first : first + 2]] == ["background", "terrain"]
    assert [run.seed for run in runs] == [0, 0, 0, 1, 1, 1]
    assert runs[2].fingerprint == runs[5].fingerprint
    trained = [services.preview(lab, run.config).seconds_total for run in planned if not run.combines]
    assert services.plan_seconds(lab, planned) == pytest.approx(sum(trained))


@pytest.mark.parametrize("plan", [services.plan_two_stages, lambda _, n: services.plan_ladder(_budget, n)])
def test_other_plans_refuse_no_repeats_too(plan: Callable[..., object]) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        plan(config(), 0)
