"""What is running, queued and finished; one run in detail."""

from functools import partial

import streamlit as st

from marsseg import services
from marsseg.ui import (
    form_sources,
    live,
    run_actions,
    run_bulk,
    run_cards,
    run_detail,
    run_picks,
    run_queue,
    run_table,
    shell,
)
from marsseg.ui.run_uses import RunUses

shell.begin_page(__file__)
lab = services.open_lab()
find = partial(services.find_run, lab)


def is_active() -> bool:
    return services.activity(lab).is_busy


clone = partial(form_sources.clone, partial(services.get_run, lab), partial(services.clone_config, lab))
uses = shell.actions(lab, services, RunUses, clone=clone)
live.watch("runs.changes", lambda: (services.store_version(lab), is_active()))
read_active, read_details = partial(services.active_runs, lab), partial(services.run_details, lab)
live.refresh("runs.active", lambda: run_cards.render_cards(read_active(), read_details, uses.stop), is_active)
run_queue.render_queue(services.queue(lab), services.waiting(lab), find, uses)

finished = run_table.load_finished(
    partial(services.finished_runs, lab, archived=None),
    partial(services.score_by_run, lab),
    f"{lab.settings.database_url} {services.store_version(lab)}",
)
if not finished.runs and not is_active():
    shell.render_empty("timeline", "No runs yet", "Runs appear here as soon as you start one.")
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("pages/train.py", label="Configure a run", icon=":material/play_circle:")
    st.stop()

chosen = run_picks.on_show(read_active())
several = run_table.render_finished(finished, chosen) if finished.runs else []
run_bulk.render_deletion(partial(services.plan_deletion, lab), uses.delete)
if several:
    run_bulk.render_bulk(several, finished, uses, most_masks=services.MAX_RUNS)
    st.stop()
run = find(chosen)
if run is None:
    run_actions.render_none(chosen)
    st.stop()

readers = run_detail.Readers(
    previews=partial(services.read_previews, lab, run),
    confusion=partial(services.confusion_of, lab, run.id),
    log_size=partial(services.log_size, lab, run.id),
    log=partial(services.read_log, lab, run.id),
    origin=partial(services.nearest_preset, run.config),
    reproduction=partial(services.reproduce, lab, run.id),
)
score = finished.scores.get(run.id)
run_actions.render_run(run, finished.tags, len(read_details(run.id).epochs), uses)
live.refresh(
    f"runs.detail.{run.id}",
    lambda: run_detail.render_detail(read_details(run.id), score, readers),
    lambda: services.get_run(lab, run.id).status.is_active,
)
