"""Configure one run and start it."""

import streamlit as st

from marsseg import services
from marsseg.errors import ConfigError, MarsSegError
from marsseg.presets import PRESETS
from marsseg.ui import form_sources, forms, keys, run_preview, shell, state

shell.begin_page(__file__)
lab = services.open_lab()

datasets = [record.name for record in services.list_datasets(lab)]
settings, summary = st.columns([3, 2], gap="medium")
with settings:
    form_sources.render_sources(PRESETS, services.list_runs(lab, limit=200), datasets)
    config, problems = forms.render_form(options={"data.dataset": datasets}, exclude={"name"})

preview, refusal = None, None
if config is not None:
    try:
        preview = services.preview(lab, config, priority=run_preview.chosen_priority())
    except MarsSegError as error:
        refusal = error


def start() -> None:
    """Queue what the form says at this very moment."""
    wanted, wrong = forms.read_form()
    try:
        if wanted is None:
            raise ConfigError(wrong)
        seeds = range(wanted.train.seed, wanted.train.seed + int(st.session_state[keys.TRAIN_REPEATS]))
        runs = services.submit_repeats(
            lab,
            wanted,
            seeds,
            baseline=forms.form_base(),
            baseline_name=forms.form_base_name(),
            wishes=services.Wishes(priority=run_preview.chosen_priority()),
        )
    except MarsSegError as error:
        shell.flash(str(error), ":material/error:")
        return
    shell.flash(f"Queued: {runs[0].name}" + (f", {len(runs)} seeds" if len(runs) > 1 else ""))
    state.remember(keys.RUN, runs[0].id)
    st.session_state[keys.TRAIN_STARTED] = True


if st.session_state.pop(keys.TRAIN_STARTED, False):
    st.switch_page("pages/runs.py")

with summary, st.container(border=True):
    st.subheader("What you are about to run")
    if config is None:
        forms.render_problem(f"{len(problems)} of the fields cannot work yet; mend the marked ones.")
    if refusal is not None:
        shell.render_error(refusal)
    forms.render_field("name", placeholder=forms.usual_name(config) if config is not None else None)
    repeats = run_preview.render_start_choices()
    st.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        on_click=start,
        disabled=preview is None,
        help="Trains in the background; the page and the browser may be closed.",
        width="stretch",
    )
    if preview is not None and config is not None:
        run_preview.render_time(preview, repeats)
        run_preview.render_share(services.run_share(lab))
        run_preview.render_preview(config, preview)
