"""Plan a study and start it: single changes to a baseline, the report's ladder, or two stages."""

import streamlit as st

from marsseg import services
from marsseg.errors import MarsSegError
from marsseg.presets import LADDER, PRESETS
from marsseg.ui import keys, leaks, shell, state, study_plan, study_setup

shell.begin_page(__file__)
lab = services.open_lab()
st.caption("Many runs planned as one. Repeats with other seeds tell luck from effect.")

datasets = [record.name for record in services.list_datasets(lab)]
if not datasets:
    shell.render_empty("dataset", "No dataset yet", "A study needs tiles to learn from.")
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("pages/data.py", label="Add a dataset", icon=":material/dataset:")
    st.stop()

setup, plan = st.columns([3, 4], gap="medium")
with setup:
    choice = study_setup.render_setup(PRESETS, LADDER, datasets, services.TOGGLE_GROUPS)


def plan_runs() -> list[services.PlannedRun]:
    if choice.plan == study_setup.LADDER:
        return services.plan_ladder(lambda row: row.with_values(dict(choice.shared)), choice.repeats)
    if choice.plan == study_setup.TWO_STAGES:
        return services.plan_two_stages(choice.baseline, choice.repeats)
    return services.plan_ablation(choice.baseline, choice.toggles, choice.repeats)


try:
    planned = plan_runs()
    seconds = services.plan_seconds(lab, planned)
    found = leaks.look(lambda: services.find_leaks(lab, *(run.config for run in planned)))
except MarsSegError as error:
    with plan:
        shell.render_error(error)
    st.stop()


def queue() -> tuple[str, list[str]]:
    study, runs = services.submit_study(lab, choice.name, choice.baseline, planned)
    return study.name, [run.id for run in runs]


def tell(queued: tuple[str, list[str]]) -> None:
    study, run_ids = queued
    state.remember(keys.RUN, run_ids[0])
    shell.flash(f"{len(run_ids)} runs are queued as “{study}”.")


with plan:
    study_plan.render_size(len(planned), seconds)
    st.button(
        f"Start {len(planned)} runs" if len(planned) > 1 else "Start",
        type="primary",
        icon=":material/play_arrow:",
        on_click=shell.once(queue, tell, then="pages/runs.py"),
        disabled=len(planned) < 2,
        help="Choose at least one change." if len(planned) < 2 else None,
    )
    leaks.render_leaks(
        found, services.dataset_tiles(lab, planned[0].config.data.dataset), key=keys.STUDY_LEAKS
    )
    unseen = services.TWO_STAGES_UNSEEN if choice.plan == study_setup.TWO_STAGES else ""
    study_plan.render_plan(choice.plan, planned, unseen)
