"""Configure one run and start it."""

from functools import partial

import streamlit as st

from marsseg import services
from marsseg.errors import ConfigError, MarsSegError
from marsseg.presets import PRESETS
from marsseg.ui import augment_view, form_sources, form_state, forms, keys, leaks, run_preview, shell, state

shell.begin_page(__file__)
lab = services.open_lab()

datasets = [record.name for record in services.list_datasets(lab)]
runs = [run for run in services.list_runs(lab, limit=200) if not run.config.combine.is_on]
if (cloned := st.session_state.get(keys.TRAIN_RUN)) and all(run.id != cloned for run in runs):
    runs += filter(None, [services.find_run(lab, cloned)])
settings, summary = st.columns([3, 2], gap="medium")
with settings:
    form_sources.render_sources(PRESETS, runs, datasets, partial(services.clone_config, lab))
    here = services.problems_here(form_state.form_values())
    config, problems = forms.render_form(problems=here, options={"data.dataset": datasets}, exclude={"name"})
    augment_view.render_link()


def queue() -> tuple[str, list[str]]:
    """Queue what the form says at this very moment."""
    wanted, wrong = forms.read_form()
    if wanted is None:
        raise ConfigError(wrong)
    seeds = range(wanted.train.seed, wanted.train.seed + int(st.session_state[keys.TRAIN_REPEATS]))
    wishes = services.Wishes(priority=int(st.session_state[keys.TRAIN_PRIORITY]))
    base, called = forms.form_base(), forms.form_base_name()
    runs = services.submit_repeats(lab, wanted, seeds, baseline=base, baseline_name=called, wishes=wishes)
    return runs[0].name, [run.id for run in runs]


def tell(queued: tuple[str, list[str]]) -> None:
    name, run_ids = queued
    state.remember(keys.RUN, run_ids[0])
    forms.forget_set_aside()
    shell.flash(f"Queued: {name}" + (f", {len(run_ids)} seeds" if len(run_ids) > 1 else ""))


with summary, st.container(border=True):
    st.subheader("What you are about to run")
    if wrong := here | problems:
        forms.render_problem_count(len(wrong))
    forms.render_field("name", placeholder=forms.usual_name(config) if config is not None else None)
    repeats, priority = run_preview.render_wishes()
    preview = found = None
    if config is not None and not wrong:
        try:
            preview = services.preview(lab, config, priority=priority)
            found = leaks.look(lambda: services.find_leaks(lab, config))
        except MarsSegError as error:
            shell.render_error(error)
    st.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        on_click=shell.once(queue, tell, then="pages/runs.py"),
        disabled=preview is None,
        help="Trains in the background; the page and the browser may be closed.",
        width="stretch",
    )
    if preview is not None and found is not None and config is not None:
        run_preview.render_time(preview, services.run_share(lab), repeats)
        leaks.render_leaks(found, services.dataset_tiles(lab, config.data.dataset), key=keys.TRAIN_LEAKS)
        run_preview.render_preview(config, preview)
