from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marsseg import services
from marsseg.errors import ConfigError, NotFoundError, StateError
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from tests.support.labs import DATASET, config, finish_queued, finish_run, queue_run
from tests.support.terrain import write_course_file


def trained(lab: Lab, name: str = "", **values: Any) -> RunRecord:
    """A completed run with a network; what the network says is the worker's business."""
    run = finish_run(lab, config(**values), name=name or None)
    (lab.settings.run_dir(run.id) / "model.onnx").write_bytes(b"a network")
    return run


def test_a_mean_is_queued_behind_the_runs_that_it_is_made_of(lab: Lab) -> None:
    done = trained(lab, "wide")
    waiting = queue_run(lab, config(train__seed=1), "wide")
    run = services.combine(lab, [done.id, waiting.id])
    assert (run.name, run.status) == ("mean of 2: wide", RunStatus.QUEUED)
    assert run.config.combine.members == (done.id, waiting.id)
    claimed = lab.store.claim_next(100)
    assert claimed is not None
    assert claimed[0].id == waiting.id
    assert lab.store.claim_next(100) is None


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({}, "mean of 2: a, b"),
        ({"flips": True}, "mean of 2: a, b, flipped"),
        ({"rule": "two_stage"}, "two stages: a, b"),
        ({"name": " Committee "}, "Committee"),
    ],
)
def test_a_combination_is_called_by_what_it_is_made_of(lab: Lab, how: dict[str, Any], name: str) -> None:
    a, b = trained(lab, "a"), trained(lab, "b", train__seed=1)
    assert services.combine(lab, [a.id, b.id], **how).name == name


def test_one_run_can_be_flipped(lab: Lab) -> None:
    run = services.combine(lab, [trained(lab, "a").id], flips=True)
    assert (run.name, run.config.combine.flips) == ("a, flipped", True)


def test_combinations_of_repeats_are_repeats(lab: Lab) -> None:
    seeds = [trained(lab, train__seed=seed) for seed in range(4)]
    other = trained(lab, model__residual=True)
    first = services.combine(lab, [seeds[0].id, seeds[1].id])
    second = services.combine(lab, [seeds[3].id, seeds[2].id])
    three = services.combine(lab, [run.id for run in seeds[:3]])
    mixed = services.combine(lab, [seeds[0].id, other.id])
    dexim = services.combine(lab, [other.id, seeds[0].id])
    flipped = services.combine(lab, [seeds[0].id, seeds[1].id], flips=True)
    assert first.fingerprint == second.fingerprint
    assert len({first.fingerprint, three.fingerprint, mixed.fingerprint, flipped.fingerprint}) == 4
    assert seeds[0].fingerprint not in {first.fingerprint, mixed.fingerprint}
    assert mixed.fingerprint == dexim.fingerprint


def test_the_same_members_once_more_are_a_copy_and_no_repeat(lab: Lab) -> None:
    def mean_of(*members: RunRecord) -> None:
        queued = services.combine(lab, [member.id for member in members])
        finish_queued(lab, queued)

    seeds = [trained(lab, train__seed=seed) for seed in range(3)]
    again = trained(lab, train__seed=1)
    mean_of(seeds[0], seeds[1])
    mean_of(again, seeds[0])
    assert [row.n for row in services.leaderboard(lab).rows if "mean" in row.name] == [1]
    mean_of(seeds[0], seeds[2])
    assert [row.n for row in services.leaderboard(lab).rows if "mean" in row.name] == [2]


def test_a_first_stage_stands_first_and_alone(lab: Lab) -> None:
    weights = {"loss__class_weights__background": 1.0}
    stage, terrain = trained(lab, data__target="background", **weights), trained(lab)
    with pytest.raises(StateError, match="Give the background stage first"):
        services.combine(lab, [terrain.id, stage.id], rule="two_stage")
    with pytest.raises(StateError, match="Combine them as two stages"):
        services.combine(lab, [terrain.id, stage.id])
    assert services.combine(lab, [stage.id, terrain.id], rule="two_stage").config.data.tells_terrain


def test_the_order_of_two_stages_matters(lab: Lab) -> None:
    a, b = trained(lab), trained(lab, model__residual=True)
    there = services.combine(lab, [a.id, b.id], rule="two_stage")
    back = services.combine(lab, [b.id, a.id], rule="two_stage")
    assert there.fingerprint != back.fingerprint


@pytest.mark.parametrize(
    ("members", "how", "says"),
    [
        (1, {}, "average of one run is that run"),
        (0, {}, "nothing to average"),
        (3, {"rule": "two_stage"}, "Two stages are two runs"),
        (2, {"rule": "median"}, "must be one of"),
    ],
)
def test_what_makes_no_combination_is_refused(lab: Lab, members: int, how: dict[str, Any], says: str) -> None:
    runs = [trained(lab, train__seed=seed) for seed in range(members)]
    with pytest.raises(ConfigError, match=says):
        services.combine(lab, [run.id for run in runs], **how)


def test_a_run_is_named_once(lab: Lab) -> None:
    run = trained(lab)
    with pytest.raises(ConfigError, match="combined with itself"):
        services.combine(lab, [run.id, run.id[:6]])


@pytest.mark.parametrize("how", [{}, {"flips": True}, {"rule": "two_stage"}])
def test_a_copy_of_a_run_is_refused_as_the_run_itself(lab: Lab, how: dict[str, Any]) -> None:
    run, copy = trained(lab, "one"), trained(lab, "the same under another name")
    with pytest.raises(ConfigError, match=f"Run {copy.id} is a copy of run {run.id}.*combined with itself"):
        services.combine(lab, [run.id, copy.id], **how)
    assert services.queue(lab) == []


def test_a_copy_of_a_combination_is_refused(lab: Lab) -> None:
    seeds = [trained(lab, train__seed=seed) for seed in range(2)]
    first = services.combine(lab, [run.id for run in seeds])
    second = services.combine(lab, [run.id for run in reversed(seeds)])
    with pytest.raises(ConfigError, match="combined with itself"):
        services.combine(lab, [first.id, second.id])


def test_what_is_alike_but_no_copy_can_be_combined(lab: Lab) -> None:
    whole, cut = trained(lab), finish_run(lab, config(), status=RunStatus.STOPPED)
    (lab.settings.run_dir(cut.id) / "model.onnx").write_bytes(b"a network")
    loose = [trained(lab, train__deterministic=False) for _ in range(2)]
    for pair in ((whole, cut), loose):
        assert services.combine(lab, [run.id for run in pair]).config.combine.rule == "mean"


def test_a_run_without_a_network_is_refused(lab: Lab) -> None:
    good = trained(lab)
    failed = finish_run(lab, config(train__seed=1), status=RunStatus.FAILED)
    bare = finish_run(lab, config(train__seed=2))
    for bad, why in ((failed, "has no exported network: it is failed"), (bare, "has lost its network")):
        with pytest.raises(StateError, match=rf"{bad.id} .*{why}"):
            services.combine(lab, [good.id, bad.id])
    with pytest.raises(NotFoundError):
        services.combine(lab, [good.id, "r-nowhere"])


def test_runs_that_are_tested_on_other_tiles_are_refused(lab: Lab) -> None:
    with pytest.raises(StateError, match="tested on different tiles"):
        services.combine(lab, [trained(lab).id, trained(lab, data__split_seed=3).id])


def test_folds_can_be_combined(lab: Lab) -> None:
    folds = [trained(lab, data__folds=3, data__fold=fold) for fold in range(3)]
    assert services.combine(lab, [run.id for run in folds]).config.combine.members == tuple(
        r.id for r in folds
    )


def test_runs_of_a_dataset_that_was_renamed_since_can_be_combined(lab: Lab, tmp_path: Path) -> None:
    seeds = [trained(lab, train__seed=seed) for seed in range(2)]
    services.rename_dataset(lab, DATASET, "stripes")
    services.add_dataset(lab, write_course_file(tmp_path / "other.npz", seed=9), name=DATASET)
    other = trained(lab, data__dataset="stripes", data__split_seed=3)
    run = services.combine(lab, [run.id for run in seeds])
    assert (run.dataset_id, run.dataset_name) == (seeds[0].dataset_id, "stripes")
    with pytest.raises(StateError, match="tested on different tiles"):
        services.combine(lab, [seeds[0].id, other.id])


def test_two_stages_are_a_study_of_three_runs(lab: Lab) -> None:
    stages = services.submit_two_stages(
        lab, config(loss__class_weights__mode="inverse_frequency"), name="Two"
    )
    first, second = stages.background.config, stages.terrain.config
    assert (first.data.target, first.loss.class_weights.background) == ("background", 1.0)
    assert (second.data.target, second.loss.class_weights.background) == ("terrain", 0.0)
    assert stages.combined.config.combine.members == (stages.background.id, stages.terrain.id)
    assert [run.name for run in services.queue(lab)] == [
        "Two · background",
        "Two · terrain",
        "Two · combined",
    ]
    assert len({run.study_id for run in services.queue(lab)}) == 1
    for _ in range(2):
        claimed = lab.store.claim_next(100)
        assert claimed is not None
        assert claimed[0].id != stages.combined.id
    assert lab.store.claim_next(100) is None


def test_two_stages_of_each_fold_are_left_to_studies_before_anything_is_queued(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="study --two-stages --folds"):
        services.submit_two_stages(lab, config(data__folds=2))
    assert services.queue(lab) == []


def test_manual_weights_let_the_first_stage_learn_background(lab: Lab) -> None:
    given = {"loss__class_weights__mode": "manual", "loss__class_weights__manual": (0.0, 1.0, 2.0, 3.0, 4.0)}
    stages = services.submit_two_stages(lab, config(**given))
    assert stages.background.config.loss.class_weights.manual == (1.0, 1.0, 2.0, 3.0, 4.0)
    assert stages.terrain.config.loss.class_weights.manual == (0.0, 1.0, 2.0, 3.0, 4.0)


def test_deleting_tells_which_combinations_are_left_without_a_member(lab: Lab) -> None:
    a, b, c = (trained(lab, name, train__seed=seed) for seed, name in enumerate("abc"))
    waiting = services.combine(lab, [a.id, b.id])
    flipped = services.combine(lab, [c.id], flips=True)
    plan = services.plan_deletion(lab, [a.id])
    assert plan.combinations == (waiting,)
    assert plan.consequence == (
        "1 combination is made of it and cannot be made again; it keeps its scores and its exported network. "
        "What has not ended yet will fail."
    )
    services.stop(lab, waiting.id)
    services.stop(lab, flipped.id)
    several = services.plan_deletion(lab, [a.id, c.id])
    assert {run.id for run in several.combinations} == {waiting.id, flipped.id}
    assert several.consequence.startswith("2 combinations are made of them and cannot")
    assert "will fail" not in several.consequence
    assert services.plan_deletion(lab, [a.id, b.id, waiting.id]).combinations == ()
    assert services.plan_deletion(lab, [waiting.id]).consequence == ""


def test_shared_values_are_those_on_which_all_agree() -> None:
    shared = services.shared_values([config(), config(model__residual=True), config(train__seed=4)])
    assert shared["model.filters"] == 16
    assert "model.residual" not in shared
    assert "model.drop_path" not in shared
    assert "train.seed" not in shared
