"""What one can do with several runs at once, and the question before runs are deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.errors import NotFoundError
from marsseg.ui import formats, keys, run_picks, run_words
from marsseg.ui.run_combine import render_combine
from marsseg.ui.run_uses import RunUses, Use
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Deletion
    from marsseg.store.records import RunRecord
    from marsseg.ui.run_table import Finished


def ask_to_delete(run_ids: Sequence[str]) -> None:
    """Open the question, in a callback; it stays open while the page refreshes."""
    st.session_state[keys.RUNS_DELETING] = list(run_ids)


def render_bulk(runs: Sequence[RunRecord], finished: Finished, uses: RunUses, *, most_masks: int) -> None:
    """The bar below the table when several runs are picked; masks of so many can be compared."""
    ids = [run.id for run in runs]
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(f"**{len(runs)}** chosen", width="stretch")
        _compare(ids, finished.scores, most_masks)
        render_combine(runs, uses, key="several")
        _tag(ids, finished.tags, uses)
        _archive(runs, uses)
        st.button(
            "Delete …", key=keys.runs_button("delete"), icon=":material/delete:", on_click=ask_to_delete,
            args=(ids,),
        )  # fmt: skip
        st.button(
            "Clear", key=keys.runs_button("clear"), type="tertiary", on_click=run_picks.pick, args=([],)
        )


def render_deletion(plan: Callable[[Sequence[str]], Deletion], delete: Use) -> None:
    """The question whether to delete, if it was asked: it names what goes.

    Args:
        plan: what deleting runs would take away.
        delete: does it.
    """
    asked: list[str] = st.session_state.get(keys.RUNS_DELETING) or []
    if not asked:
        return
    try:
        deletion = plan(asked)
    except NotFoundError:  # gone already, by another hand
        _close()
        return
    title = f"Delete {counted(len(deletion.runs), 'run')}?"
    st.dialog(title, icon=":material/delete_forever:", on_dismiss=_close)(_question)(deletion, delete)


def _question(deletion: Deletion, delete: Use) -> None:
    ids = [run.id for run in deletion.runs]
    st.markdown(run_words.name_list(deletion.runs))
    st.markdown(
        f"{_scores(deletion)} {counted(deletion.files, 'file')}, {formats.size(deletion.bytes)}: logs, "
        "checkpoints, masks and exported networks. This cannot be undone; archiving "
        "only puts runs out of sight."
    )
    if deletion.combinations:
        st.markdown(f":orange[:material/warning:] {deletion.consequence}")
        st.markdown(run_words.name_list(deletion.combinations))

    def confirm() -> None:
        _close()
        if delete(ids, done=f"Deleted {counted(len(ids), 'run')}."):
            run_picks.forget(ids)

    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep", key=keys.runs_button("keep"), on_click=_close):
            st.rerun()
        if st.button(
            f"Delete {counted(len(ids), 'run')}", key=keys.runs_button("delete_for_good"),
            icon=":material/delete_forever:", on_click=confirm,
        ):  # fmt: skip
            st.rerun()


def _scores(deletion: Deletion) -> str:
    if not deletion.scored:
        return "No scores go with that." if len(deletion.runs) == 1 else "None of them has scores."
    if len(deletion.runs) == 1:
        return "Its scores leave the leaderboard."
    return f"The scores of {counted(deletion.scored, 'run')} leave the leaderboard."


def _close() -> None:
    st.session_state[keys.RUNS_DELETING] = None


def _compare(ids: Sequence[str], scored: Collection[str], most: int) -> None:
    wanted = [run_id for run_id in ids if run_id in scored]
    if st.button(
        "Compare masks",
        key=keys.runs_button("compare"),
        icon=":material/compare:",
        disabled=not 1 <= len(wanted) <= most or len(wanted) < len(ids),
        help=f"For up to {most} runs that have masks, so that have been evaluated.",
    ):
        st.switch_page("pages/masks.py", query_params={keys.RUNS: ",".join(wanted)})


def _tag(ids: Sequence[str], tags: Sequence[str], uses: RunUses) -> None:
    def add() -> None:
        uses.tag_runs(ids, st.session_state[keys.RUNS_NEW_TAGS])
        st.session_state[keys.RUNS_NEW_TAGS] = []

    with st.popover("Tag", icon=":material/label:"):
        chosen = st.multiselect(
            "Tags to add", tags, key=keys.RUNS_NEW_TAGS, accept_new_options=True, width=300,
            placeholder="Choose or type a new one",
        )  # fmt: skip
        label = f"Add to {counted(len(ids), 'run')}"
        st.button(label, key=keys.runs_button("tag"), on_click=add, disabled=not chosen)


def _archive(runs: Sequence[RunRecord], uses: RunUses) -> None:
    back = all(run.archived for run in runs)
    st.button(
        "Unarchive" if back else "Archive",
        key=keys.runs_button("archive"),
        icon=f":material/{'unarchive' if back else 'archive'}:",
        on_click=uses.archive,
        args=([run.id for run in runs],),
        kwargs={"archived": not back},
        help="Puts runs out of sight, here and on the leaderboard; nothing is deleted." if not back else None,
    )
