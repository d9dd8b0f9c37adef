from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marsseg.config import RunConfig, iter_fields
from marsseg.ui import keys
from marsseg.ui.kinds import Kind, shape_of

SECTIONS = ["model", "loss", "data", "augment", "train"]


def form_script():
    import streamlit as st

    from marsseg.ui import forms

    config, problems = forms.render_form(
        options=st.session_state.get("test.options"), problems=st.session_state.get("test.problems")
    )
    forms.render_field("name")
    st.session_state["test.config"] = config
    st.session_state["test.found"] = problems


def two_pages_script():
    import streamlit as st

    from marsseg.config import RunConfig
    from marsseg.ui import forms

    page = st.radio("page", ["form", "elsewhere"], key="test.page")
    if page == "form":
        forms.render_form()
    else:
        config, _ = forms.read_form()
        st.session_state["test.config"] = config
        if st.button("load", key="test.load"):
            forms.set_form(RunConfig().with_values({"model.filters": 32, "loss.focal": 1}), base_name="a run")


@pytest.fixture
def app():
    return AppTest.from_function(form_script, default_timeout=30).run()


def widget(app, path, part=None):
    return app.get_by_key(keys.field("train", path, part))


def shown_keys(app):
    kinds = (app.toggle, app.number_input, app.selectbox, app.segmented_control, app.text_input)
    return {element.key for kind in kinds for element in kind}


def go_to(app, section):
    return app.get_by_key(keys.form_section("train")).set_value(section).run()


def result(app):
    assert not app.exception
    return app.session_state["test.config"], app.session_state["test.found"]


def red_sentences(app):
    return [element.value for element in app.markdown if element.value.startswith(":red[")]


def test_an_untouched_form_is_the_default_configuration(app):
    assert result(app) == (RunConfig(), {})


def test_every_field_is_drawn_where_it_matters(app):
    app.session_state["train.config.loss.class_weights.mode"] = "manual"
    values = {
        "model.squeeze_excite": True,
        "model.residual": True,
        "model.deep_supervision": True,
        "model.activation": "leaky_relu",
        "model.normalization": "group",
        "loss.focal": 1.0,
        "loss.focal_tversky": 1.0,
        "loss.boundary": 1.0,
        "loss.top_k": 1.0,
        "train.ema": True,
    }
    values |= {
        view.path: 0.5 for view in iter_fields() if view.path.startswith("augment.") and view.ui.when is None
    }
    values["augment.rock_oversampling"] = 2.0
    for path, value in values.items():
        app.session_state[keys.field("train", path)] = value
    drawn = shown_keys(go_to(app, "data"))
    app.session_state[keys.field("train", "data.folds")] = 5
    for section in SECTIONS:
        go_to(app, section)
        drawn |= shown_keys(app)
    for mode in ("effective_number", "inverse_frequency"):
        app.session_state[keys.field("train", "loss.class_weights.mode")] = mode
        drawn |= shown_keys(go_to(app, "loss"))
    app.session_state[keys.field("train", "train.schedule")] = "cosine"
    drawn |= shown_keys(go_to(app, "train"))
    for view in (view for view in iter_fields() if view.ui.in_form):
        part = 0 if shape_of(view).kind is Kind.NUMBERS else None
        assert keys.field("train", view.path, part) in drawn


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("model.squeeze_excite", True, True),
        ("model.skip_gate", "attention", "attention"),
        ("model.activation", "gelu", "gelu"),
        ("model.depth", 4, 4),
        ("model.dropout", 0.25, 0.25),
        ("name", "<b>x</b> **y**", "<b>x</b> **y**"),
    ],
    ids=["toggle", "buttons", "list", "integer", "number", "text"],
)
def test_what_a_widget_holds_is_what_the_configuration_says(app, path, value, read):
    widget(app, path).set_value(value).run()
    config, problems = result(app)
    assert problems == {}
    assert config.flat()[path] == read


def test_a_number_that_may_be_empty(app):
    app.session_state[keys.field("train", "loss.class_weights.mode")] = "inverse_frequency"
    go_to(app, "loss")
    assert widget(app, "loss.class_weights.cap").value is None
    widget(app, "loss.class_weights.cap").set_value(20.0).run()
    assert result(app)[0].loss.class_weights.cap == 20
    widget(app, "loss.class_weights.cap").set_value(None).run()
    assert result(app)[0].loss.class_weights.cap is None


def test_five_numbers_are_one_value(app):
    app.session_state[keys.field("train", "loss.class_weights.mode")] = "manual"
    go_to(app, "loss")
    widget(app, "loss.class_weights.manual", 4).set_value(6.5).run()
    assert result(app)[0].loss.class_weights.manual == (0, 1, 1, 1, 6.5)


def test_one_of_five_numbers_is_refused_by_its_class_name(app):
    app.session_state[keys.field("train", "loss.class_weights.mode")] = "manual"
    go_to(app, "loss")
    widget(app, "loss.class_weights.manual", 3).set_value(-1.0).run()
    assert result(app)[0] is None
    (sentence,) = red_sentences(app)
    assert "sand" in sentence
    assert "at least 0" in sentence


def test_options_replace_free_text(app):
    app.session_state["test.options"] = {"data.dataset": ["demo", "mars"]}
    go_to(app, "data")
    widget(app, "data.dataset").set_value("mars").run()
    assert result(app)[0].data.dataset == "mars"


def test_a_dataset_that_is_gone_stays_on_show(app):
    app.session_state["test.options"] = {"data.dataset": ["demo"]}
    app.session_state[keys.field("train", "data.dataset")] = "lost one"
    go_to(app, "data")
    assert widget(app, "data.dataset").value == "lost one"
    assert "lost one (missing)" in widget(app, "data.dataset").options


@pytest.mark.parametrize(
    ("leader", "value", "dependent", "section"),
    [
        ("model.squeeze_excite", True, "model.se_ratio", "model"),
        ("model.activation", "leaky_relu", "model.leaky_slope", "model"),
        ("loss.focal", 0.5, "loss.focal_gamma", "loss"),
        ("loss.class_weights.mode", "effective_number", "loss.class_weights.effective_beta", "loss"),
        ("data.folds", 5, "data.fold", "data"),
    ],
)
def test_a_dependent_field_shows_only_while_it_matters(app, leader, value, dependent, section):
    go_to(app, section)
    before = widget(app, leader).value
    assert keys.field("train", dependent) not in shown_keys(app)
    widget(app, leader).set_value(value).run()
    assert keys.field("train", dependent) in shown_keys(app)
    widget(app, leader).set_value(before).run()
    assert keys.field("train", dependent) not in shown_keys(app)


def test_a_dependent_field_keeps_its_value_while_hidden(app):
    widget(app, "model.squeeze_excite").set_value(True).run()
    widget(app, "model.se_ratio").set_value(4).run()
    widget(app, "model.squeeze_excite").set_value(False).run()
    widget(app, "model.squeeze_excite").set_value(True).run()
    assert widget(app, "model.se_ratio").value == 4


def test_a_wrong_value_is_told_beside_its_field_and_on_its_section(app):
    widget(app, "model.depth").set_value(7).run()
    config, problems = result(app)
    assert config is None
    assert list(problems) == ["model.depth"]
    assert any("Depth" in sentence and "halved 7 times" in sentence for sentence in red_sentences(app))
    sections = app.get_by_key(keys.form_section("train"))
    assert [":red" in option for option in sections.options] == [True, False, False, False, False]


def test_sections_wrap_where_they_do_not_fit_in_a_row(app):
    assert app.get_by_key(keys.form_section("train")).proto.wrap


def test_out_of_range_reaches_the_configuration_not_the_browser(app):
    go_to(app, "train")
    widget(app, "train.learning_rate").set_value(-1.0).run()
    config, problems = result(app)
    assert config is None
    assert "more than 0" in problems["train.learning_rate"]


def test_a_wrong_value_that_does_not_matter_stops_nothing(app):
    widget(app, "model.activation").set_value("leaky_relu").run()
    widget(app, "model.leaky_slope").set_value(7.0).run()
    assert result(app)[0] is None
    widget(app, "model.activation").set_value("relu").run()
    config, problems = result(app)
    assert problems == {}
    assert config.model.activation == "relu"


def test_problems_from_outside_are_shown_as_text(app):
    app.session_state["test.problems"] = {"data.dataset": "<b>gone</b> :red[no]"}
    go_to(app, "data")
    (sentence,) = red_sentences(app)
    assert "\\<b\\>gone" in sentence
    assert ":red[no]" not in sentence


def test_changes_are_marked_and_can_be_undone(app):
    widget(app, "model.filters").set_value(24).run()
    assert widget(app, "model.filters").label == "Filters (channels) • was 16"
    assert widget(app, "model.depth").label == "Depth (levels)"
    app.get_by_key(keys.form_reset("train")).click().run()
    assert result(app)[0] == RunConfig()
    assert widget(app, "model.filters").label == "Filters (channels)"


def test_help_names_the_range(app):
    assert "Range: 2 to 128." in widget(app, "model.filters").help


def test_values_and_changes_survive_another_page():
    app = AppTest.from_function(two_pages_script, default_timeout=30).run()
    app.get_by_key(keys.field("train", "model.filters")).set_value(24).run()
    app.get_by_key(keys.field("train", "model.squeeze_excite")).set_value(True).run()
    app.get_by_key("test.page").set_value("elsewhere").run()
    app.run()
    assert app.session_state["test.config"].model.filters == 24
    app.get_by_key("test.page").set_value("form").run()
    assert app.get_by_key(keys.field("train", "model.filters")).value == 24
    assert "was 16" in app.get_by_key(keys.field("train", "model.filters")).label


def test_another_page_fills_the_form():
    app = AppTest.from_function(two_pages_script, default_timeout=30).run()
    app.get_by_key(keys.field("train", "model.filters")).set_value(24).run()
    app.get_by_key("test.page").set_value("elsewhere").run()
    app.get_by_key("test.load").click().run()
    app.get_by_key("test.page").set_value("form").run()
    assert not app.exception
    assert app.get_by_key(keys.field("train", "model.filters")).value == 32
    assert app.get_by_key(keys.field("train", "model.filters")).label == "Filters (channels)"
    go_to(app, "loss")
    assert app.get_by_key(keys.field("train", "loss.focal")).value == 1.0
