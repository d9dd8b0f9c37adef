"""What is running, queued and finished; one run in detail."""

import streamlit as st

from marsseg import services
from marsseg.ui import keys, live, run_actions, run_cards, run_detail, run_table, shell, state

shell.begin_page(__file__)
lab = services.open_lab()


def is_active() -> bool:
    return services.activity(lab).is_busy


def choose(run_id: str | None) -> None:
    state.remember(keys.RUN, run_id)


def stop(run_id: str) -> None:
    shell.attempt(lambda: services.stop(lab, run_id))


def move(run_id: str, where: str) -> None:
    shell.attempt(lambda: services.move_in_queue(lab, run_id, where))


def delete(run_id: str) -> None:
    if shell.attempt(lambda: services.delete(lab, [run_id]), f"Deleted {run_id}."):
        choose(None)


def draw_active() -> None:
    for run in services.active_runs(lab):
        run_cards.render_card(run, services.run_details(lab, run.id).epochs, on_stop=stop, on_open=choose)


live.watch("runs.changes", lambda: (services.store_version(lab), is_active()))
live.refresh("runs.active", draw_active, is_active)
run_cards.render_queue(services.queue(lab), on_move=move, on_remove=stop)

finished = services.finished_runs(lab, limit=500)
if not finished and not is_active():
    shell.render_empty("timeline", "No runs yet", "Runs appear here as soon as you start one.")
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("pages/train.py", label="Configure a run", icon=":material/play_circle:")
    st.stop()

chosen = state.remembered(keys.RUN)
if not chosen and (active := services.active_runs(lab)):
    choose(chosen := active[0].id)  # so that it stays on show when it ends
if finished:
    st.subheader("Finished")
    run_table.render_run_table(finished, services.score_by_run(lab), chosen, on_choose=choose)

run = services.find_run(lab, chosen) if chosen else None
if run is None:
    gone = "The run in the address does not exist any more; choose another one."
    st.caption(gone if chosen else "Choose a run to see its curves, masks, log, configuration and timeline.")
    st.stop()

run_actions.render_actions(
    run,
    on_resume=lambda: shell.attempt(lambda: services.resume(lab, run.id), "Queued again."),
    on_rename=lambda name: shell.attempt(lambda: services.rename(lab, run.id, name)),
    on_delete=lambda: delete(run.id),
)


def draw_detail() -> None:
    run_detail.render_detail(
        services.run_details(lab, run.id),
        read_previews=lambda: services.read_previews(lab, run),
        read_log=lambda: services.read_log(lab, run.id),
        log_path=services.log_path(lab, run.id),
    )


live.refresh(f"runs.detail.{run.id}", draw_detail, lambda: services.get_run(lab, run.id).status.is_active)
