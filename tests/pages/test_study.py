"""Ablation study: the plan, and starting it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.presets import LADDER
from marsseg.services.lab import Lab
from marsseg.ui import keys, study_setup
from tests.pages.driver import button, go_to, links, open_page, press, words
from tests.support.labs import DATASET


def plan(app: AppTest, column: str = "What changes") -> dict[str, tuple[str, str]]:
    """What changes and which seeds, by run."""
    assert not app.exception
    assert not app.error
    table = app.table[0].value
    plain = table.map(lambda words: words.replace("\\", ""))
    return {row["Run"]: (row[column], row["Seeds"]) for _, row in plain.iterrows()}


def choose(app: AppTest, toggles: list[str], repeats: int, group: str = "Network") -> AppTest:
    """Choose the changes of a group, which takes its place on the page first."""
    app.get_by_key(keys.STUDY_REPEATS).set_value(repeats)
    app.get_by_key(keys.STUDY_GROUP).set_value(group).run()
    return app.get_by_key(keys.study_toggles(group)).set_value(toggles).run()


def turn_to(app: AppTest, plan: str) -> AppTest:
    return app.get_by_key(keys.STUDY_PLAN).set_value(plan).run()


def test_the_plan_is_the_baseline_and_one_change_a_run(lab: Lab) -> None:
    app = choose(open_page("study"), ["Residual connections"], 2)
    app = choose(app, ["Focal loss"], 2, "Loss")
    assert plan(app) == {
        "baseline": ("nothing: the baseline itself", "0, 1"),
        "+residual": ("Residual connections: off → on", "0, 1"),
        "CE 0, focal 1": ("Cross-entropy: 1 → 0; Focal: 0 → 1", "0, 1"),
    }
    assert button(app, "Start 6 runs")
    assert app.subheader[0].value.startswith("6 runs, about ")


def test_changes_of_all_groups_stay_chosen_and_are_counted_whichever_group_is_on_show(lab: Lab) -> None:
    app = choose(open_page("study"), ["SiLU"], 1)
    for group, label in (("Loss", "Hard pixels alone"), ("Data", "CutMix"), ("Training", "Cosine schedule")):
        app = choose(app, [label], 1, group)
    assert set(plan(app)) == {"baseline", "act silu", "CE 0, top-k 1", "CutMix 0.5", "schedule cosine"}
    app = go_to(go_to(app, "data"), "study")
    assert len(plan(app)) == 5
    assert app.get_by_key(keys.STUDY_GROUP).options == ["Network · 1", "Loss · 1", "Data · 1", "Training · 1"]
    app.get_by_key(keys.STUDY_GROUP).set_value("Network").run()
    assert len(plan(choose(app, [], 1))) == 4


def test_a_value_that_a_change_brings_along_is_said_where_it_is_not_the_usual_one(lab: Lab) -> None:
    chosen = ["Inverse frequency capped at 10", "Focal loss"]
    app = choose(choose(open_page("study"), [], 1), chosen, 1, "Loss")
    changes = {name: what for name, (what, _) in plan(app).items()}
    assert changes["weights inverse frequency, cap 10"] == "Class weights: none → inverse frequency; Cap: 10"
    assert changes["CE 0, focal 1"] == "Cross-entropy: 1 → 0; Focal: 0 → 1"


def test_every_change_of_every_group_can_be_chosen(lab: Lab) -> None:
    app = open_page("study")
    app.get_by_key(keys.STUDY_PRESET).set_value("default").run()
    for group, toggles in services.TOGGLE_GROUPS.items():
        app = choose(app, [toggle.label for toggle in toggles], 1, group)
    assert button(app, f"Start {1 + len(services.TOGGLES)} runs")


def test_the_ladder_shows_what_each_row_adds_and_all_rows_get_one_budget(lab: Lab, woken: list[str]) -> None:
    app = turn_to(open_page("study"), study_setup.LADDER)
    rows = plan(app, "What it adds")
    assert list(rows) == [preset.title for preset in LADDER]
    assert rows["Ladder 6: + Squeeze-and-Excitation"] == ("Squeeze-and-Excitation: off → on", "0, 1, 2")
    app.get_by_key(keys.STUDY_EPOCHS).set_value(4)
    app.get_by_key(keys.STUDY_BATCH).set_value(8)
    app.get_by_key(keys.STUDY_RATE).set_value(0.001).run()
    press(app, "Start 18 runs")
    runs = services.queue(lab)
    budget = {(r.config.train.epochs, r.config.train.batch_size, r.config.train.learning_rate) for r in runs}
    assert budget == {(4, 8, 0.001)}
    assert [run.name for run in runs] == list(rows) * 3
    assert lab.store.list_studies()[0].name == "Report ladder"


def test_two_stages_are_three_runs_a_seed_and_the_page_says_which_lens_is_blind(
    lab: Lab, woken: list[str]
) -> None:
    app = turn_to(open_page("study"), study_setup.TWO_STAGES)
    app.get_by_key(keys.STUDY_REPEATS).set_value(2).run()
    assert list(plan(app, "What it does")) == ["background", "terrain", "combined"]
    assert "terrain lens does not count background, so it cannot see stage one" in words(app)
    press(app, "Start 6 runs")
    runs = services.queue(lab)
    assert [run.name for run in runs][:3] == [
        f"Quick in two stages · {stage}" for stage in ("background", "terrain", "combined")
    ]
    assert runs[5].config.combine.members == (runs[3].id, runs[4].id)


def test_a_budget_that_a_plan_cannot_work_with_is_said(lab: Lab) -> None:
    app = turn_to(open_page("study"), study_setup.LADDER)
    app.get_by_key(keys.STUDY_BATCH).set_value(500).run()
    assert not app.exception
    assert "fewer than one batch of 500" in app.error[0].value


def test_folds_multiply_the_runs_and_are_explained(lab: Lab, woken: list[str]) -> None:
    app = choose(open_page("study"), ["Residual connections"], 2)
    app.get_by_key(keys.STUDY_FOLDS).set_value(3).run()
    assert not app.exception
    assert set(app.table[0].value["Folds"]) == {"3"}
    assert set(app.table[0].value["Seeds"]) == {"0, 1"}
    assert "pooled out-of-fold score" in words(app)
    press(app, "Start 12 runs")
    runs = services.queue(lab)
    assert sorted({(run.seed, run.config.data.fold) for run in runs}) == [
        (seed, fold) for seed in (0, 1) for fold in (0, 1, 2)
    ]
    assert len({run.study_id for run in runs}) == 1
    assert len({run.fingerprint for run in runs}) == 2


def test_folds_alone_make_a_study(lab: Lab) -> None:
    app = choose(open_page("study"), [], 1)
    app.get_by_key(keys.STUDY_FOLDS).set_value(4).run()
    assert not button(app, "Start 4 runs").disabled


def test_more_repeats_and_epochs_take_longer(lab: Lab) -> None:
    app = choose(open_page("study"), ["Residual connections"], 1)
    short = app.subheader[0].value
    app.get_by_key(keys.STUDY_EPOCHS).set_value(500).run()
    assert app.subheader[0].value != short


def test_nothing_to_compare_cannot_be_started(lab: Lab) -> None:
    app = choose(open_page("study"), [], 1)
    assert button(app, "Start").disabled


def test_starting_queues_the_study_and_shows_the_runs(lab: Lab, woken: list[str]) -> None:
    app = open_page("study")
    app.get_by_key(keys.STUDY_NAME).set_value("What <b>helps</b>?")
    app.get_by_key(keys.STUDY_EPOCHS).set_value(3)
    choose(app, ["Residual connections", "Squeeze-and-Excitation"], 2)
    press(app, "Start 6 runs")
    assert not app.exception
    runs = services.queue(lab)
    assert [run.name for run in runs] == ["What <b>helps</b>? · baseline", "+SE", "+residual"] * 2
    assert {run.config.train.epochs for run in runs} == {3}
    assert {run.dataset_name for run in runs} == {DATASET}
    assert len({run.study_id for run in runs}) == 1
    assert [run.seed for run in runs] == [0, 0, 0, 1, 1, 1]
    assert woken
    assert [title.value for title in app.title] == ["Runs"]
    assert "6 runs are queued" in app.toast[0].value
    assert "<b>" not in app.toast[0].value


def test_a_study_without_a_name_is_called_after_its_baseline(lab: Lab) -> None:
    press(choose(open_page("study"), ["Residual connections"], 1), "Start 2 runs")
    assert [run.name for run in services.queue(lab)] == ["Ablation of Quick · baseline", "+residual"]


def test_a_study_that_cannot_start_says_why(lab: Lab) -> None:
    app = open_page("study")
    services.remove_dataset(lab, DATASET)
    button(app, "Start 9 runs").click().run()
    assert not app.exception
    assert DATASET in app.error[0].value
    assert not services.queue(lab)


def test_without_a_dataset_the_page_says_where_to_add_one(lab: Lab) -> None:
    services.remove_dataset(lab, DATASET)
    app = open_page("study")
    assert not app.exception
    assert not app.error
    assert "No dataset yet" in words(app)
    assert "Add a dataset" in links(app)
