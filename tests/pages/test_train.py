"""New run: the form, what it refuses, what it starts."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.config import AugmentConfig, iter_fields
from marsseg.presets import PRESETS
from marsseg.services.lab import Lab
from marsseg.store.records import Phase, Progress, RunStatus
from marsseg.ui import keys
from marsseg.ui.form_layout import section_of
from marsseg.ui.kinds import Kind, shape_of
from tests.pages.driver import AWKWARD, button, charts, go_to, open_page, press, read_as_markup, words
from tests.support.labs import DATASET, config, finish_run, queue_run, start_run

CUTOFF = "auto_contrast_cutoff"  # 0 like the probabilities, but none


def widget_keys(app: AppTest) -> set[str]:
    kinds = (app.toggle, app.number_input, app.selectbox, app.segmented_control, app.text_input)
    return {str(element.key) for kind in kinds for element in kind}


def fields(section: str) -> set[str]:
    """Keys of all widgets that a section can show."""
    views = [view for view in iter_fields() if section_of(view.path) == section and view.ui.in_form]
    return {
        keys.field(keys.TRAIN_FORM, view.path, 0 if shape_of(view).kind is Kind.NUMBERS else None)
        for view in views
    }


def show(app: AppTest, section: str) -> AppTest:
    return app.get_by_key(keys.form_section(keys.TRAIN_FORM)).set_value(section).run()


def enter(app: AppTest, path: str, value: object) -> AppTest:
    """Type a value into a field, after turning to its section."""
    section = path.partition(".")[0]
    if section != "name" and app.session_state[keys.form_section(keys.TRAIN_FORM)] != section:
        show(app, section)
    return app.get_by_key(keys.field(keys.TRAIN_FORM, path)).set_value(value).run()


@pytest.fixture
def form(lab: Lab) -> AppTest:
    return open_page("train")


def sentences(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown if element.value.startswith(":red["))


def test_the_sections_together_show_a_widget_for_every_field_that_matters(form: AppTest) -> None:
    for path, value in {
        "model.squeeze_excite": True,
        "model.activation": "leaky_relu",
        "model.normalization": "group",
        "loss.focal": 1.0,
        "loss.focal_tversky": 1.0,
        "loss.boundary": 1.0,
        "loss.top_k": 1.0,
        "loss.class_weights.mode": "effective_number",
        "data.folds": 5,
        "train.ema": True,
        "model.residual": True,
        "model.deep_supervision": True,
        **{
            f"augment.{name}": 0.5
            for name, value in AugmentConfig()
            if value == 0 and name != "auto_contrast_cutoff"
        },
    }.items():
        enter(form, path, value)
    for section in ("model", "augment"):
        assert fields(section) <= widget_keys(show(form, section))
    floor = keys.field(keys.TRAIN_FORM, "train.cosine_floor")
    assert fields("train") - {floor} <= widget_keys(show(form, "train"))
    assert floor in widget_keys(enter(form, "train.schedule", "cosine"))
    share = keys.field(keys.TRAIN_FORM, "data.validation_fraction")
    assert fields("data") - {share} <= widget_keys(show(form, "data"))
    assert share in widget_keys(enter(form, "data.folds", 0))
    manual = keys.field(keys.TRAIN_FORM, "loss.class_weights.manual", 0)
    assert fields("loss") - {manual} <= widget_keys(show(form, "loss"))
    enter(form, "loss.class_weights.mode", "manual")
    assert manual in widget_keys(form)
    assert not form.exception


@pytest.mark.parametrize(
    ("switch", "value", "dependent"),
    [
        ("model.squeeze_excite", True, "model.se_ratio"),
        ("model.activation", "leaky_relu", "model.leaky_slope"),
        ("model.normalization", "group", "model.groups"),
        ("loss.focal", 1.0, "loss.focal_gamma"),
        ("loss.tversky", 0.5, "loss.tversky_beta"),
        ("loss.class_weights.mode", "inverse_frequency", "loss.class_weights.cap"),
        ("data.folds", 5, "data.fold"),
    ],
)
def test_a_field_appears_when_it_begins_to_matter(
    form: AppTest, switch: str, value: object, dependent: str
) -> None:
    show(form, switch.partition(".")[0])
    key = keys.field(keys.TRAIN_FORM, dependent)
    assert key not in widget_keys(form)
    assert key in widget_keys(enter(form, switch, value))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model.depth": 7}, "Depth: 64 rows cannot be halved 7 times"),
        ({"loss.cross_entropy": 0.0}, "Cross-entropy: All loss weights are 0"),
        ({"train.learning_rate": -1.0}, "Learning rate: must be more than 0; got -1.0."),
        ({"model.normalization": "group", "model.groups": 5}, "Groups: 8 filters cannot be split into 5"),
        ({"data.validation_fraction": 0.6, "data.test_fraction": 0.5}, "Test share: "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_cannot_work_is_refused_beside_its_field(
    form: AppTest, lab: Lab, changes: dict[str, object], sentence: str
) -> None:
    assert not button(form, "Start").disabled
    for path, value in changes.items():
        enter(form, path, value)
    assert not form.exception
    assert sentence in sentences(form).replace("\\", "")
    assert button(form, "Start").disabled
    assert charts(form) == 0
    assert not services.list_runs(lab)


def test_all_that_cannot_work_is_marked_at_once(form: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsseg.services.machine.list_gpus", lambda: ())
    enter(form, "train.mixed_precision", True)
    assert "Mixed precision: works on a GPU only" in sentences(form).replace("\\", "")
    assert "One field cannot work yet; mend the marked one." in sentences(form)
    assert not form.error
    for path, value in {"schedule": "cosine", "warmup_epochs": 500, "xla": True}.items():
        enter(form, f"train.{path}", value)
    for label in ("Mixed precision", "Warm-up", "XLA"):
        assert f"{label}: " in sentences(form).replace("\\", "")
    assert "3 fields cannot work yet; mend the marked ones." in sentences(form)
    assert button(form, "Start").disabled


def test_a_batch_that_the_dataset_cannot_fill_is_refused_before_the_start(form: AppTest) -> None:
    enter(form, "train.batch_size", 64)
    assert "fewer than one batch" in form.error[0].value
    assert button(form, "Start").disabled


def test_the_preview_follows_the_form(form: AppTest) -> None:
    parameters = form.metric[0].value
    assert charts(form) == 1  # the class weights
    enter(form, "model.filters", 24)
    assert form.metric[0].value != parameters
    enter(form, "loss.focal", 1.0)
    assert charts(form) == 2  # and the focal curve
    assert "training" in words(form)


def test_the_stages_of_the_network_follow_the_form(form: AppTest) -> None:
    enter(form, "model.architecture", "deeplabv3plus")
    stages = form.table[0].value
    assert list(stages["Stage"]) == ["encoder 1", "encoder 2", "bottleneck", "decoder 1", "head"]
    assert list(stages["Output"])[-2:] == ["64×128×8", "64×128×5"]
    enter(form, "model.architecture", "unet")
    assert list(form.table[0].value["Stage"])[3:] == ["decoder 2", "decoder 1", "head"]


def test_runs_ahead_are_announced(form: AppTest, lab: Lab) -> None:
    assert "ahead in the queue" not in words(form)
    queue_run(lab, config())
    assert "1 run ahead in the queue" in words(form.run())


def test_start_queues_what_the_form_says_and_shows_the_runs(
    form: AppTest, lab: Lab, woken: list[str]
) -> None:
    enter(form, "model.residual", True)
    enter(form, "train.learning_rate", 0.002)
    press(form, "Start")
    assert not form.exception
    run = services.list_runs(lab)[0]
    assert run.status is RunStatus.QUEUED
    assert run.config.model.residual
    assert run.config.train.learning_rate == 0.002
    assert run.config.data.dataset == DATASET
    assert run.name == "+residual, lr 0.002"
    assert set(woken) == {str(lab.settings.home)}
    assert [title.value for title in form.title] == ["Runs"]
    assert "Queued" in form.toast[0].value


def test_an_unchanged_preset_names_its_run(lab: Lab) -> None:
    press(open_page("train"), "Start")
    assert services.queue(lab)[0].name == PRESETS["quick"].title


def test_repeats_are_queued_with_seeds_in_a_row(form: AppTest, lab: Lab) -> None:
    enter(form, "train.seed", 5)
    enter(form, "name", "thrice <b>x</b>")
    form.get_by_key(keys.TRAIN_REPEATS).set_value(3).run()
    press(form, "Start")
    assert [run.seed for run in services.queue(lab)] == [5, 6, 7]
    assert {run.name for run in services.queue(lab)} == {"thrice <b>x</b>"}
    assert "3 seeds" in form.toast[0].value
    assert "<b>" not in form.toast[0].value


def test_coming_back_after_a_start_stays_on_the_form(form: AppTest, lab: Lab) -> None:
    press(form, "Start")
    go_to(form, "train")
    assert [title.value for title in form.title] == ["New run"]
    assert len(services.queue(lab)) == 1


def test_an_empty_name_shows_what_the_run_will_be_called(form: AppTest, lab: Lab) -> None:
    name = keys.field(keys.TRAIN_FORM, "name")
    assert form.get_by_key(name).placeholder == PRESETS["quick"].title
    enter(form, "model.residual", True)
    wanted = form.get_by_key(name).placeholder
    press(form, "Start")
    assert [run.name for run in services.queue(lab)] == [wanted]


def test_a_start_leads_to_the_new_run_whatever_was_on_show_before(form: AppTest, lab: Lab) -> None:
    before = finish_run(lab, config(), name="looked at before")
    form.query_params["run"] = before.id
    go_to(form, "runs")
    go_to(form, "train")
    press(form, "Start")
    assert form.query_params["run"] == services.queue(lab)[0].id


def test_a_run_that_would_have_to_wait_says_for_what(form: AppTest, lab: Lab) -> None:
    assert "Waits" not in words(form)
    run, token = start_run(lab, queue_run(lab, config(), f"busy {AWKWARD}").id)
    lab.store.report_progress(run.id, token, Progress(Phase.TRAINING, 3, 8, 5, 10, 41.5, 240.0))
    queue_run(lab, config(train__seed=1))
    said = words(form.run())
    assert "the only slot is taken by “busy" in said
    assert "with 1 run ahead in the queue. About 4 min until a slot is free." in said
    assert not read_as_markup(form)
    services.pause_queue(lab)
    assert "the queue is paused" in words(form.run())


def test_a_higher_priority_waits_for_fewer_and_is_what_is_queued(form: AppTest, lab: Lab) -> None:
    queue_run(lab, config())
    assert "1 run ahead" in words(form.run())
    form.get_by_key(keys.TRAIN_PRIORITY).set_value(1).run()
    assert "ahead" not in words(form)
    press(form, "Start")
    assert [run.priority for run in services.queue(lab)] == [1, 0]


def test_what_a_run_is_given_is_said_beside_start(form: AppTest, lab: Lab) -> None:
    share = services.run_share(lab)
    assert f"Trains on {share.threads} of {share.cores} CPU core" in words(form)


def test_a_changed_field_says_what_it_was_and_can_be_undone(lab: Lab) -> None:
    app = open_page("train")
    before = app.get_by_key("train.config.model.filters").value
    enter(app, "model.filters", 20)
    assert f"was {before}" in app.get_by_key("train.config.model.filters").label
    press(app, "Undo 1 change")
    assert app.get_by_key("train.config.model.filters").value == before
    assert "was" not in app.get_by_key("train.config.model.filters").label


def test_a_value_that_its_switch_hides_is_not_warned_of(form: AppTest) -> None:
    enter(form, "model.squeeze_excite", value=True)
    enter(form, "model.se_ratio", value=4.0)
    enter(form, "model.squeeze_excite", value=False)
    assert keys.field(keys.TRAIN_FORM, "model.se_ratio") not in widget_keys(form)
    assert button(form, "Start").disabled is False
    assert "no say" not in words(form)
