"""What a study found: rows, order, intervals and what is missing, on stores with made-up predictions."""

from __future__ import annotations

import itertools
import re
import statistics
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from marsseg import services
from marsseg.errors import NotFoundError
from marsseg.presets import LADDER, get_preset
from marsseg.services.comparing import Delta
from marsseg.services.lab import Lab
from tests.support.labs import DATASET, config, finish_queued, finish_run
from tests.support.ladders import BUDGET, at_budget, finish_ladder, queue_ladder, section, text_of


def test_scores_agree_with_scikit_learn_and_spread_over_seeds(lab: Lab) -> None:
    runs = finish_ladder(lab)
    truth = services.dataset_tiles(lab, DATASET).masks[services.split_of(lab, runs[0].config.data).test]
    singles = []
    for run in runs[3::6]:
        masks = np.load(lab.settings.run_dir(run.id) / "predictions" / "test_terrain_only.npy")
        singles.append(
            jaccard_score(truth[truth > 0], masks[truth > 0], labels=[1, 2, 3, 4], average="macro")
        )
    row = services.study_results(lab, "Report ladder").rows[3]
    assert row.scores("terrain", "test") == pytest.approx(singles)
    line = next(line for line in text_of(lab).splitlines() if line.startswith("| Ladder 4"))
    assert f"{statistics.mean(singles):.3f} ± {statistics.stdev(singles):.3f} |" in line
    assert "| 12,345 | 0.1 | 3 |" in line


def test_the_same_store_gives_the_same_text(lab: Lab) -> None:
    finish_ladder(lab)
    assert text_of(lab, against="ladder-1") == text_of(lab, against="ladder-1")


def test_the_page_says_what_was_run_and_what_was_not_as_in_the_report(lab: Lab) -> None:
    finish_ladder(lab)
    setting = section(text_of(lab), "What was run")
    assert "6 configurations, 18 runs with scores" in setting
    assert "epochs 200 → 3, batch size 16 → 4, learning rate 0.0001 → 0.001 |" in setting
    split = services.split_summary(lab, at_budget(LADDER[0].config).data)
    assert f"test {split[2].tiles} tiles ({split[2].with_big_rock} with big rock)" in setting
    assert "commit 0123456789ab, changed since" in setting
    assert "Some-Linux-on-two-cores; 2 CPU threads a run; no GPU" in setting
    assert "Keras 3.15" in setting


def test_rows_that_change_places_are_told_with_their_noise(lab: Lab) -> None:
    finish_ladder(lab)
    results = services.study_results(lab, "Report ladder")
    (pair,) = results.upside_down
    assert (pair.ours.name, pair.theirs.name) == (LADDER[2].title, LADDER[1].title)
    assert pair.delta is not None
    assert pair.delta.value == pytest.approx(
        statistics.mean(results.rows[2].scores("terrain", "test"))
        - statistics.mean(results.rows[1].scores("terrain", "test"))
    )
    assert pair.is_beyond_noise
    order = section(text_of(lab), "The order of the rows")
    assert "**1, 3, 2, 4, 5, 6**" in order
    assert "**Ladder 3: + class weights** scored" in order
    assert f"{-100 * pair.delta.value:.1f} points below **Ladder 2: + focal loss**" in order
    assert "more than seed noise" in order
    assert "0.701" in order


def test_a_difference_that_seeds_explain_is_called_noise(lab: Lab) -> None:
    """Row 3 is a little worse than row 2 on average, but both swing far more from seed to seed."""
    for place, run in enumerate(queue_ladder(lab)):
        rate = (0.5, 0.22, 0.24, 0.15, 0.1, 0.05)[place % 6]
        swings = 0.1 * run.seed if place % 6 in {1, 2} else 0.0
        finish_queued(lab, run, error_rate=rate + swings)
    (pair,) = services.study_results(lab, "Report ladder").upside_down
    assert pair.images is not None
    assert pair.images[1] < 0
    assert pair.is_beyond_noise is False
    assert "within seed noise" in section(text_of(lab), "The order of the rows")


@pytest.mark.parametrize(
    ("images", "seeds", "verdict", "words"),
    [
        ((-0.05, -0.01), (-0.04, -0.02), True, "more than seed noise"),
        ((-0.055, -0.005), (-0.055, -0.005), False, "luck of images and seeds together"),
        ((-0.055, 0.005), (-0.04, -0.02), False, "may be luck of the images"),
        ((-0.04, -0.02), (-0.065, 0.005), False, "within seed noise"),
    ],
)
def test_both_kinds_of_luck_count_together(
    lab: Lab, images: tuple[float, float], seeds: tuple[float, float], verdict: bool, words: str
) -> None:
    """A difference of three points: two reaches of two and one make √5, two of two and a half make √12.5."""
    finish_ladder(lab)
    results = services.study_results(lab, "Report ladder")
    pair = replace(results.upside_down[0], delta=Delta(-0.03, *images), seeds=seeds)
    assert pair.is_beyond_noise is verdict
    text = services.results_text(replace(results, upside_down=(pair,)))
    assert words in section(text, "The order of the rows")


def test_one_seed_tells_no_seed_noise(lab: Lab) -> None:
    finish_ladder(lab, repeats=1)
    text = text_of(lab)
    assert "with a single seed on a side, nobody can say" in section(text, "The order of the rows")
    steps = section(text, "Each row against the one below it")
    assert steps.count("| – | – |") == 5


def test_an_order_that_is_the_reports_is_said_to_be(lab: Lab) -> None:
    for place, run in enumerate(queue_ladder(lab, repeats=1)):
        finish_queued(lab, run, error_rate=0.5 - 0.08 * place)
    assert "The order is the report's." in text_of(lab)


def test_steps_are_to_the_row_below_and_paired_over_tiles(lab: Lab) -> None:
    runs = finish_ladder(lab)
    steps = services.study_results(lab, "Report ladder").steps
    assert [(s.ours.name, s.theirs.name) for s in steps] == [
        (above.title, below.title) for below, above in itertools.pairwise(LADDER)
    ]
    board = services.leaderboard(lab, services.LeaderboardQuery(baseline=runs[2].id))
    (row,) = [row for row in board.rows if runs[3].id in row.run_ids]
    assert steps[2].delta == row.delta
    low, high = steps[2].seeds or (0.0, 0.0)
    assert steps[2].delta is not None
    assert low < steps[2].delta.value < high


def test_sides_with_different_splits_are_said_to_share_few_tiles(lab: Lab) -> None:
    finish_ladder(lab)
    elsewhere = get_preset("notebook").config.with_values({**BUDGET, "data.split_seed": 7})
    other = finish_run(lab, elsewhere.with_values({"data.test_fraction": 0.3}))
    page = text_of(lab, against=other.id)
    assert re.search(r"\*\*different splits\*\*: Δ is over the \d+ test tiles", page)
    assert "different splits" not in text_of(lab, against="ladder-1")


def test_any_preset_can_be_the_other_side_and_the_closest_budget_is_taken(lab: Lab) -> None:
    finish_ladder(lab)
    notebook = get_preset("notebook").config
    for seed in range(2):
        finish_run(
            lab, notebook.with_values({"data.dataset": DATASET, "train.batch_size": 4, "train.seed": seed})
        )
    short = notebook.with_values(BUDGET)
    wanted = [finish_run(lab, short.with_values({"train.seed": s}), error_rate=0.12 + s / 50) for s in (0, 1)]
    duel = services.study_results(lab, "Report ladder", against="notebook").duel
    assert duel is not None
    assert duel.theirs is not None
    assert [run.id for run in duel.theirs.runs] == [run.id for run in wanted]
    assert {(c.split, c.lens) for c in duel.comparisons} == {
        (split, lens) for split in ("test", "validation") for lens in ("terrain", "course", "strict")
    }
    text = section(text_of(lab, against="notebook"), "Ladder 6: + Squeeze-and-Excitation against notebook")
    assert re.search(r"\| Terrain, test \| 0\.\d{3} ± 0\.\d{3} \| 0\.\d{3} ± 0\.\d{3} \| \+\d\.\d \|", text)
    assert "not as in the preset: epochs 3, batch size 4" in text
    assert "same number of epochs" not in text


def test_sides_may_be_presets_runs_and_fingerprints(lab: Lab) -> None:
    runs = finish_ladder(lab, repeats=1)
    other = finish_run(lab, config(model__dropout=0.5), error_rate=0.3, name="elsewhere")
    for name in (other.id, other.fingerprint, "elsewhere"):
        duel = services.study_results(lab, "Report ladder", candidate="ladder-5", against=name).duel
        assert duel is not None
        assert (duel.ours and duel.ours.runs[0].id, duel.theirs and duel.theirs.runs[0].id) == (
            runs[4].id,
            other.id,
        )
    assert "**not** trained for the same number of epochs" in text_of(lab, against=other.id)
    with pytest.raises(NotFoundError, match="neither a preset nor a completed run"):
        services.study_results(lab, "Report ladder", against="nobody")


def test_one_run_of_one_epoch_is_told_as_one(lab: Lab) -> None:
    short = config(train__epochs=1)
    planned = services.plan_ablation(short, [])
    (run,) = services.submit_study(lab, "Alone", short, planned)[1]
    finish_queued(lab, run, epochs=1)
    others = [finish_run(lab, config(train__epochs=1, model__dropout=rate), epochs=1) for rate in (0.1, 0.2)]
    text = text_of(lab, "Alone", candidate=others[0].id, against=others[1].id)
    assert "1 configuration, 1 run with scores" in text
    assert "1 epoch, batches of 4" in text


def test_archived_runs_are_out_of_sight(lab: Lab) -> None:
    runs = finish_ladder(lab)
    services.archive(lab, [run.id for run in runs[12:]])
    assert {len(row.runs) for row in services.study_results(lab, "Report ladder").rows} == {2}
    services.archive(lab, [run.id for run in runs[:12]])
    with pytest.raises(NotFoundError, match=r"All 18 runs of study 1 .* archive --undo"):
        services.study_results(lab, "Report ladder")
    services.delete(lab, [run.id for run in runs])
    with pytest.raises(NotFoundError, match=r"no runs of study 1 .* any more"):
        services.study_results(lab, "Report ladder")


def test_another_study_is_written_up_against_its_first_row(lab: Lab) -> None:
    planned = services.plan_ablation(config(), [services.find_toggle("SiLU")], repeats=2)
    _, runs = services.submit_study(lab, "A | b", config(), planned)
    for run in runs:
        finish_queued(lab, run, error_rate=0.2 if run.name == "act silu" else 0.3)
    results = services.study_results(lab, "A | b")
    assert results.rungs is None
    assert [(s.ours.name, s.theirs.name) for s in results.steps] == [("act silu", "A | b · baseline")]
    page = services.results_text(results)
    assert r"| A \| b · baseline |" in page
    assert "The order of the rows" not in page


def test_how_to_repeat_names_every_command_and_no_place_on_this_machine(lab: Lab) -> None:
    finish_ladder(lab)
    text = services.results_text(services.study_results(lab, "Report ladder"), f"{lab.settings.home}/r.md")
    assert section(text, "How to repeat it").split("```")[1].strip().splitlines() == [
        "python -m marsseg datasets add bands.npz --name bands",
        "python -m marsseg study --ladder --name 'Report ladder' --dataset bands --set train.epochs=3 "
        "--set train.batch_size=4 --set train.learning_rate=0.001 --repeats 3",
        "python -m marsseg results --study 'Report ladder' --out r.md",
    ]
    assert str(lab.settings.home) not in text


def test_studies_go_by_number_or_name(lab: Lab) -> None:
    finish_ladder(lab, repeats=1)
    first = services.study_results(lab, "1")
    assert (first.study.id, first.key) == (1, "Report ladder")
    with pytest.raises(NotFoundError, match=r"no study 'x'. Studies: 1 \(Report ladder\)"):
        services.study_results(lab, "x")
    queue_ladder(lab, repeats=1)
    assert services.study_results(lab, "1").key == "1"
    with pytest.raises(NotFoundError, match="Several studies are called"):
        services.study_results(lab, "Report ladder")


def test_a_budget_is_recognised_whatever_it_changes(lab: Lab) -> None:
    planned = services.plan_ladder(
        lambda run: at_budget(run).with_values({"model.filters": 4, "train.ema": True})
    )
    services.submit_study(lab, "small", planned[0].config, planned)
    rungs = services.study_results(lab, "small").rungs
    assert rungs is not None
    assert [preset.key for preset in rungs.presets] == [preset.key for preset in LADDER]
    assert rungs.shared["model.filters"] == 4
    assert rungs.shared["train.ema"] is True


def test_two_stages_are_told_by_the_strict_lens_against_the_second_alone(lab: Lab) -> None:
    planned = services.plan_two_stages(config(), repeats=2)
    _, runs = services.submit_study(lab, "Two", config(), planned)
    for run in runs:
        finish_queued(lab, run, error_rate=0.1 if run.config.combine.is_on else 0.3)
    results = services.study_results(lab, "Two")
    (step,) = results.steps
    assert (step.ours.name, step.theirs.name, step.lens) == ("Two · combined", "Two · terrain", "strict")
    assert step.images is not None
    assert step.images[0] > 0
    page = services.results_text(results)
    assert services.TWO_STAGES_UNSEEN in page
    assert "test score, strict lens" in section(page, "Both stages against the second alone")
    (gap,) = services.find_gaps(results)
    assert gap.sentence == "Both stages lack seed 2."
    again = "--dataset bands --set train.batch_size=4"
    more = "--two-stages --name 'Two, seeds from 2'"
    assert gap.command.endswith(f"{more} {again} --set train.seed=2 --repeats 1")
    assert f"--two-stages --name Two {again} --repeats 2" in section(page, "How to repeat it")


def test_the_split_is_that_of_the_runs_whatever_was_decided_and_renamed_since(lab: Lab) -> None:
    finish_ladder(lab, repeats=1)
    before = services.study_results(lab, "1").split
    group = services.dataset_report(lab, DATASET).groups[0]
    services.keep_group(lab, DATASET, group.id, keep=True)
    services.rename_dataset(lab, DATASET, "stripes")
    results = services.study_results(lab, "1")
    assert results.split == before
    assert "66 pairs, 60 of them kept" in services.results_text(results)


def test_runs_of_a_preset_with_another_recipe_do_not_stand_for_it(lab: Lab) -> None:
    finish_ladder(lab, repeats=1)
    finish_run(lab, get_preset("notebook").config.with_values({**BUDGET, "train.ema": True}))
    duel = services.study_results(lab, "1", against="notebook").duel
    assert duel is not None
    assert duel.theirs is None
