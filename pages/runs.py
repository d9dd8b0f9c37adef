"""What is running, queued and finished; one run in detail."""

from functools import partial

import streamlit as st

from marsseg import services
from marsseg.ui import form_sources, live, run_cards, run_choice, run_detail, run_table, shell
from marsseg.ui.run_actions import RunActions, render_actions, render_header
from marsseg.ui.run_bulk import BulkActions, render_bulk, render_deletion
from marsseg.ui.run_log import LogReader
from marsseg.ui.run_queue import QueueActions, last_removed, render_queue

shell.begin_page(__file__)
lab = services.open_lab()
find_run = partial(services.find_run, lab)


def is_active() -> bool:
    return services.activity(lab).is_busy


def draw_active() -> None:
    stop = shell.action(lab, services.stop)
    for run in services.active_runs(lab):
        epochs = services.run_details(lab, run.id).epochs
        run_cards.render_card(run, epochs, on_stop=stop, on_open=run_choice.choose)


live.watch("runs.changes", lambda: (services.store_version(lab), is_active()))
live.refresh("runs.active", draw_active, is_active)
queue_actions = shell.actions(lab, services, QueueActions)
render_queue(services.queue(lab), services.waiting(lab), last_removed(find_run), queue_actions)

finished = run_table.load_finished(
    partial(services.finished_runs, lab, archived=None),
    partial(services.score_by_run, lab),
    (str(lab.settings.home), services.store_version(lab)),
)
if not finished.runs and not is_active():
    shell.render_empty("timeline", "No runs yet", "Runs appear here as soon as you start one.")
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("pages/train.py", label="Configure a run", icon=":material/play_circle:")
    st.stop()

chosen = run_choice.shown(services.active_runs(lab))
if finished.runs:
    picked = run_table.render_run_table(finished, run_choice.picked(), on_pick=run_choice.pick)
    render_bulk(picked, finished, shell.actions(lab, services, BulkActions), most_masks=services.MAX_RUNS)
delete = shell.action(lab, services.delete)
render_deletion(partial(services.plan_deletion, lab), run_choice.forgetting(delete))

run = find_run(chosen) if chosen else None
if run is None:
    gone = "The run in the address does not exist any more; choose another one."
    st.caption(gone if chosen else "Choose a run to see its curves, masks, log, configuration and timeline.")
    st.stop()

details = services.run_details(lab, run.id)
clone = partial(form_sources.clone, run, partial(services.clone_config, lab))
render_header(run)
render_actions(run, finished.tags, len(details.epochs), shell.actions(lab, services, RunActions, clone=clone))
readers = run_detail.Readers(
    previews=lambda: services.read_previews(lab, run),
    log=lambda: LogReader(services.log_size(lab, run.id), partial(services.read_log, lab, run.id)),
    reproduction=lambda: services.reproduce(lab, run.id),
)


def draw_detail() -> None:
    run_detail.render_detail(services.run_details(lab, run.id), finished.scores.get(run.id), readers)


live.refresh(f"runs.detail.{run.id}", draw_detail, lambda: services.get_run(lab, run.id).status.is_active)
