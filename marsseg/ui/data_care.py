"""Rename the dataset on show, or remove it after a question that says what goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.errors import NotFoundError
from marsseg.ui import formats, keys, run_words, shell, text
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Removal
    from marsseg.store.records import DatasetRecord

_EDIT_WIDTH = 420


def render_care(record: DatasetRecord | None, rename: Callable[[str, str], DatasetRecord]) -> None:
    """The two buttons beside the choice of a dataset; nothing while there is none."""
    if record is None:
        return
    key = keys.dataset_name(record.id)
    with st.popover("Rename", icon=":material/edit:"):
        st.text_input(
            "Name", record.name, key=key, max_chars=200, width=_EDIT_WIDTH,
            on_change=_rename, args=(record.name, key, rename),
        )  # fmt: skip
        st.caption("Saved when you leave the field. Runs keep pointing at it.")
    st.button(
        "Remove …", key=keys.DATASET_REMOVE, icon=":material/delete:", on_click=_ask, args=(record.name,)
    )


def render_removal(
    names: Sequence[str], plan: Callable[[str], Removal], remove: Callable[[str], object]
) -> None:
    """The question whether to remove a dataset, if it was asked: it names what goes, or what keeps it.

    Args:
        names: of all datasets; when one has gone, the first of the others is shown.
        plan: what removing one would take away.
        remove: does it.
    """
    asked = st.session_state.get(keys.DATASET_REMOVING)
    if asked is None:
        return
    try:
        removal = plan(asked)
    except NotFoundError:  # gone already, by another hand
        _close()
        return
    others = [name for name in names if name != removal.record.name]
    question = _question if removal.is_possible else _refusal
    title = "Remove this dataset?" if removal.is_possible else "This dataset is in use"
    st.dialog(title, icon=":material/delete_forever:", on_dismiss=_close)(question)(removal, others, remove)


def _question(removal: Removal, others: Sequence[str], remove: Callable[[str], object]) -> None:
    record = removal.record
    st.markdown(
        f"**{text.markdown(text.shorten(record.name, 70))}**: {counted(record.meta['pairs'], 'pair')} and "
        f"{counted(record.meta['test_images'], 'unlabelled test tile')}. No run uses it."
    )
    st.markdown(
        f"Its imported copy goes: {counted(removal.files, 'file')}, {formats.size(removal.bytes)}. What it "
        "was imported from is not touched and can be imported again; its outlier groups are then decided "
        "anew."
    )

    def confirm() -> None:
        _close()
        if shell.attempt(lambda: remove(record.name), f"Removed {text.shorten(record.name, 60)}."):
            st.session_state[keys.DATASET] = next(iter(others), None)

    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep", key=keys.DATASET_KEEP, on_click=_close):
            st.rerun()
        if st.button(
            "Remove for good", key=keys.DATASET_GOES, icon=":material/delete_forever:", on_click=confirm
        ):
            st.rerun()


def _refusal(removal: Removal, _others: Sequence[str], _remove: Callable[[str], object]) -> None:
    count = len(removal.runs)
    use = "run uses" if count == 1 else "runs use"
    st.markdown(
        f"{formats.count(count)} {use} **{text.markdown(text.shorten(removal.record.name, 70))}**, so it "
        f"stays. To remove it, first delete {'the run' if count == 1 else 'these runs'} on the Runs page; "
        "archived runs count, too."
    )
    st.markdown(run_words.name_list(removal.runs))
    if st.button("Close", key=keys.DATASET_KEEP, on_click=_close):
        st.rerun()


def _rename(old: str, key: str, rename: Callable[[str, str], DatasetRecord]) -> None:
    new = str(st.session_state[key]).strip()
    if new and new != old:
        shell.attempt(lambda: _show(rename(old, new)), f"Renamed to {text.shorten(new, 60)}.")


def _show(record: DatasetRecord) -> None:
    st.session_state[keys.DATASET] = record.name


def _ask(name: str) -> None:
    """Open the question, in a callback; it stays open while the page refreshes."""
    st.session_state[keys.DATASET_REMOVING] = name


def _close() -> None:
    st.session_state[keys.DATASET_REMOVING] = None
