"""Add a dataset, by upload or by a path on the server, and see how far imports have come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.errors import DatasetError, MarsSegError
from marsseg.ui import keys, text
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import ImportJob

_FORM_WIDTH = 440


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a person asked to import: an upload, or a path on the machine that serves the page."""

    upload: Any | None
    path: str
    name: str | None
    frame_size: int | None


def render_add_dataset(on_send: Callable[[ImportRequest], object]) -> None:
    """The form behind "Add dataset"; it closes when what was asked for has begun.

    Args:
        on_send: begins an import; what it raises is shown in the form, which stays open then.
    """
    with (
        st.popover(
            "Add dataset",
            icon=":material/add:",
            width="content",
            key=keys.IMPORT_OPEN,
            on_change=_forget_problem,
        ),
        st.container(width=_FORM_WIDTH),
        st.form(keys.IMPORT_FORM, border=False),
    ):
        _fields()
        st.form_submit_button(
            "Import", type="primary", icon=":material/download:", on_click=_send, args=(on_send,)
        )
        if keys.IMPORT_PROBLEM in st.session_state:
            st.error(text.markdown(st.session_state[keys.IMPORT_PROBLEM]), icon=":material/error:")


def follow(job_id: int) -> None:
    """Remember an import of this session: its dataset is shown when it is there."""
    st.session_state.setdefault(keys.IMPORT_FOLLOWED, []).append(job_id)


def has_news(jobs: Sequence[ImportJob]) -> bool:
    """Whether an import of this session has ended since `select_imported` was last called."""
    followed = st.session_state.get(keys.IMPORT_FOLLOWED, [])
    return any(job.is_done and job.id in followed for job in jobs)


def select_imported(jobs: Sequence[ImportJob]) -> None:
    """Choose the dataset that an import of this session has just brought; call before its widget is drawn."""
    followed = st.session_state.get(keys.IMPORT_FOLLOWED, [])
    for job in jobs:
        if job.is_done and job.id in followed:
            followed.remove(job.id)
            if job.added is not None:
                st.session_state[keys.DATASET] = job.added.record.name
                st.session_state[keys.IMPORT_PATH] = st.session_state[keys.IMPORT_NAME] = ""


def _fields() -> None:
    st.text_input(
        "Path on this machine", key=keys.IMPORT_PATH, placeholder="/data/mars_for_students.npz",
        help="An .npz in the course format, or a folder in the AI4Mars layout.",
    )  # fmt: skip
    st.file_uploader("or upload an .npz", key=_upload_key())
    st.text_input("Name", key=keys.IMPORT_NAME, placeholder="the file's name", max_chars=200)
    st.number_input(
        "Frame size (pixels)", 128, 4096, None, step=128, key=keys.IMPORT_FRAME, placeholder="automatic",
        help="Side of the frames that tiles are cut from, a multiple of 128: images are later segmented at "
        "that scale. Left empty it is 256 for an AI4Mars folder, and unknown for most .npz files.",
    )  # fmt: skip


def _send(on_send: Callable[[ImportRequest], object]) -> None:
    _forget_problem()
    try:
        on_send(_request())
    except MarsSegError as error:
        st.session_state[keys.IMPORT_PROBLEM] = str(error)
        return
    st.session_state[keys.IMPORT_OPEN] = False
    # A widget for files can be emptied only by giving way to another.
    st.session_state[keys.IMPORT_SENT] = st.session_state.get(keys.IMPORT_SENT, 0) + 1


def _request() -> ImportRequest:
    upload = st.session_state.get(_upload_key())
    path = st.session_state[keys.IMPORT_PATH].strip()
    if upload is None and not path:
        raise DatasetError("There is nothing to import yet: give a path or choose a file to upload.")
    if upload is not None and path:
        raise DatasetError(
            f"There are both an upload ({text.shorten(upload.name)}) and a path; remove one of them."
        )
    frame_size = st.session_state[keys.IMPORT_FRAME]
    name = st.session_state[keys.IMPORT_NAME].strip() or None
    return ImportRequest(upload, path, name, int(frame_size) if frame_size else None)


def _upload_key() -> str:
    return keys.import_upload(st.session_state.get(keys.IMPORT_SENT, 0))


def _forget_problem() -> None:
    st.session_state.pop(keys.IMPORT_PROBLEM, None)


def render_imports(
    jobs: Sequence[ImportJob],
    names: Sequence[str],
    *,
    shown: str | None,
    on_dismiss: Callable[[int], None],
    on_show: Callable[[str], None],
) -> None:
    """A line an import: its progress while it runs, then what came of it.

    Args:
        names: of the datasets that there are; one that was renamed or removed since cannot be shown.
        shown: the one on show.
    """
    for job in jobs:
        label = text.markdown(text.shorten(job.label, 60))
        if not job.is_done:
            st.progress(min(1.0, job.fraction), f"Importing {label}: {text.markdown(job.what)}")
            continue
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            _outcome(job, label)
            name = job.added.record.name if job.added is not None else shown
            if (
                name != shown
                and name in names
                and st.button(
                    "Show",
                    key=keys.import_button("show", job.id),
                    type="tertiary",
                    on_click=on_show,
                    args=(name,),
                )
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
    name = text.markdown(text.shorten(record.name, 60))
    if job.added.restored:
        st.success(f"The missing files of {name} have been restored.", icon=":material/check:")
        return
    if job.added.already_there:
        st.info(f"{label} was added before, as {name}; nothing changed.", icon=":material/info:")
        return
    pairs = counted(record.meta["pairs"], "pair")
    dropped = counted(len(record.dropped_rows), "suspected outlier")
    st.success(
        f"{label} is imported as {name}: {pairs}, {dropped}.",
        icon=":material/check:",
    )
