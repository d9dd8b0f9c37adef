"""Numbers that results lack, and the commands that get them."""

from __future__ import annotations

from typing import Any

from marsseg import services
from marsseg.presets import LADDER, get_preset
from marsseg.services.lab import Lab
from marsseg.store.records import RunStatus
from tests.support.labs import config, finish_queued, finish_run, start_run
from tests.support.ladders import at_budget, finish_ladder, queue_ladder, section, text_of


def missing(lab: Lab, **asked: Any) -> dict[str, str]:
    gaps = services.find_gaps(services.study_results(lab, "Report ladder", **asked))
    return {gap.sentence: gap.command for gap in gaps}


def test_what_is_missing_is_said_with_the_command_that_gets_it(lab: Lab) -> None:
    runs = queue_ladder(lab, repeats=2)
    for run in runs[:4]:
        finish_queued(lab, run)
    failed, token = start_run(lab, runs[4].id)
    lab.store.finish(failed.id, token, RunStatus.FAILED, "Loss became NaN in epoch 2.")
    start_run(lab, runs[5].id)
    told = missing(lab, against="notebook")
    assert told["Ladder 5: + skip gate, seed 0 is failed: Loss became NaN in epoch 2."] == (
        f"python -m marsseg runs resume {runs[4].id} --wait"
    )
    assert told["Ladder 6: + Squeeze-and-Excitation, seed 0 is at work."].endswith(f"runs show {runs[5].id}")
    assert told["Ladder 1: U-Net, cross-entropy, seed 1 waits in the queue."].endswith("--idle-seconds 60")
    overrides = "--set train.epochs=3 --set train.batch_size=4 --set train.learning_rate=0.001"
    assert told["Ladder 2: + focal loss lacks seed 2."] == (
        f"python -m marsseg train --preset ladder-2 --dataset bands {overrides} --seed 2"
    )
    assert told["Authors' notebook (notebook) was not trained on bands."] == (
        "python -m marsseg study --preset notebook --dataset bands "
        "--set train.epochs=3 --set train.batch_size=4 --repeats 3"
    )
    page = text_of(lab, against="notebook")
    assert all(command in section(page, "What is missing") for command in told.values())
    assert "| Ladder 5: + skip gate | – | – | 0 | – | – |" in page
    assert "Without a test score: Ladder 5: + skip gate, Ladder 6: + Squeeze-and-Excitation." in page


def test_a_ladder_on_folds_lacks_all_folds_of_a_seed(lab: Lab) -> None:
    planned = services.plan_ladder(lambda row: at_budget(row).with_values({"data.folds": 2}), 1)
    for run in services.submit_study(lab, "Report ladder", planned[0].config, planned)[1]:
        finish_queued(lab, run)
    overrides = "--set train.epochs=3 --set train.batch_size=4 --set train.learning_rate=0.001"
    assert missing(lab)["Ladder 2: + focal loss lacks seeds 1 and 2."] == (
        f"python -m marsseg study --preset ladder-2 --dataset bands {overrides} "
        "--set train.seed=1 --folds 2 --repeats 2"
    )


def test_repeats_and_rows_that_were_trained_later_count(lab: Lab) -> None:
    planned = services.plan_ladder(at_budget, 2)[:-1]  # the top row was left out with the second seed
    del planned[5]
    for run in services.submit_study(lab, "Report ladder", planned[0].config, planned)[1]:
        finish_queued(lab, run)
    assert "Ladder 6: + Squeeze-and-Excitation was not trained." in missing(lab)
    for preset in LADDER:
        for seed in range(3):
            if preset is LADDER[5] or seed == 2:
                finish_run(lab, at_budget(preset.config).with_values({"train.seed": seed}))
    assert not missing(lab)
    assert [len(row.runs) for row in services.study_results(lab, "Report ladder").rows] == [3] * 6
    assert "## What is missing" not in text_of(lab)


def test_seeds_that_are_missing_together_take_one_command(lab: Lab) -> None:
    finish_ladder(lab, repeats=1)
    finish_run(lab, at_budget(LADDER[1].config).with_values({"train.seed": 1}))
    finish_run(lab, at_budget(LADDER[2].config).with_values({"train.seed": 2}))
    told = missing(lab)
    overrides = (
        "--dataset bands --set train.epochs=3 --set train.batch_size=4 --set train.learning_rate=0.001"
    )
    assert told["Ladder 1: U-Net, cross-entropy lacks seeds 1 and 2."] == (
        f"python -m marsseg study --preset ladder-1 {overrides} --set train.seed=1 --repeats 2"
    )
    assert told["Ladder 2: + focal loss lacks seed 2."].endswith(f"{overrides} --seed 2")
    assert told["Ladder 3: + class weights lacks seed 1."].endswith(f"{overrides} --seed 1")


def test_a_preset_beside_a_study_that_is_no_ladder_is_trained_as_long_and_on_the_same_split(lab: Lab) -> None:
    start = config(train__epochs=3, data__split_seed=10)
    planned = services.plan_ablation(start, [services.find_toggle("Residual connections")], repeats=3)
    for run in services.submit_study(lab, "Rows", start, planned)[1]:
        finish_queued(lab, run)

    def gaps() -> list[services.Gap]:
        return services.find_gaps(services.study_results(lab, "Rows", against="notebook"))

    own = "--preset notebook --dataset bands --set data.split_seed=10 --set train.epochs=3"
    (gap,) = gaps()
    assert sorted(gap.command.split()) == sorted(f"python -m marsseg study {own} --repeats 3".split())
    beside = {"data.dataset": "bands", "data.split_seed": 10, "train.epochs": 3, "train.batch_size": 8}
    finish_run(lab, get_preset("notebook").config.with_values(beside))
    (gap,) = gaps()
    assert gap.sentence == "Authors' notebook lacks seeds 1 and 2."
    further = f"study {own} --set train.batch_size=8 --set train.seed=1 --repeats 2"
    assert sorted(gap.command.split()) == sorted(f"python -m marsseg {further}".split())


def test_a_combination_lacks_no_seeds(lab: Lab) -> None:
    runs = finish_ladder(lab)
    members = [runs[0].id, runs[6].id]
    for run_id in members:
        (lab.settings.run_dir(run_id) / "model.onnx").write_bytes(b"a network")
    mean = services.combine(lab, members, rule="mean")
    finish_queued(lab, mean)
    assert not missing(lab, against=mean.id)
