"""Add a dataset, by upload or by a path on the server, and see how far imports have come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.ui import formats, keys, text

if TYPE_CHECKING:
    from marsseg.services import ImportJob


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a person asked to import: an upload, or a path on the machine that serves the page."""

    upload: Any | None
    path: str
    name: str | None
    frame_size: int | None


def render_add_dataset() -> ImportRequest | None:
    """The form behind "Add dataset"; returns a request in the run in which it was sent."""
    with (
        st.popover("Add dataset", icon=":material/add:", width="content"),
        st.form(keys.IMPORT_FORM, border=False),
    ):
        path = st.text_input(
            "Path on this machine",
            key=keys.IMPORT_PATH,
            placeholder="/data/mars_for_students.npz or an AI4Mars folder",
            help="An .npz in the course format, or a folder in the AI4Mars layout.",
        )
        upload = st.file_uploader("or upload an .npz", key=keys.IMPORT_UPLOAD, type=["npz"])
        name = st.text_input("Name", key=keys.IMPORT_NAME, placeholder="the file's name", max_chars=200)
        frame_size = st.number_input(
            "Frame size (pixels)",
            64,
            4096,
            None,
            step=64,
            key=keys.IMPORT_FRAME,
            placeholder="256 for AI4Mars, unknown for .npz",
            help="Side of the frames that tiles are cut from. Images are later segmented at that scale.",
        )
        sent = st.form_submit_button("Import", type="primary", icon=":material/download:")
    if not sent:
        return None
    if upload is None and not path.strip():
        st.warning("Give a path or choose a file to upload.", icon=":material/info:")
        return None
    return ImportRequest(upload, path.strip(), name.strip() or None, int(frame_size) if frame_size else None)


def render_imports(
    jobs: Sequence[ImportJob], *, on_dismiss: Callable[[int], None], on_show: Callable[[str], None]
) -> None:
    """A line an import: its progress while it runs, then what came of it."""
    for job in jobs:
        label = text.markdown(text.shorten(job.label, 60))
        if not job.is_done:
            st.progress(min(1.0, job.fraction), f"Importing {label}: {text.markdown(job.what)}")
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            _outcome(job, label)
            if job.added is not None and st.button(
                "Show",
                key=keys.import_button("show", job.id),
                type="tertiary",
                on_click=on_show,
                args=(job.added.record.name,),
            ):
                st.rerun()  # all of the page, not only this part
            st.button(
                "Dismiss",
                key=keys.import_button("dismiss", job.id),
                icon=":material/close:",
                type="tertiary",
                on_click=on_dismiss,
                args=(job.id,),
            )


def _outcome(job: ImportJob, label: str) -> None:
    if job.added is None:
        st.error(f"{label}: {text.markdown(job.problem)}", icon=":material/error:")
        return
    record = job.added.record
    name = text.markdown(record.name)
    if job.added.already_there:
        st.info(f"{label} was added before, as {name}; nothing changed.", icon=":material/info:")
        return
    pairs = formats.count(record.meta["pairs"])
    dropped = formats.count(len(record.dropped_rows))
    st.success(
        f"{label} is imported as {name}: {pairs} pairs, {dropped} suspected outliers.",
        icon=":material/check:",
    )
