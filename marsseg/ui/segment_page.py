"""Drop an image, choose a network; see the mask over it, its shares, and take it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import charts, formats, keys, state, text
from marsseg.ui.mask_viewer import Panel, PanelRow, render_mask_grid

if TYPE_CHECKING:
    from marsseg.services import SegmentedImage
    from marsseg.store.records import RunRecord

_AS_TRAINED = 0
_FRAMES = (_AS_TRAINED, 256, 512, 1024)


@dataclass(frozen=True, slots=True)
class SegmentChoice:
    """What a person chose; `content` is None before an image is there."""

    run_id: str
    content: bytes | None
    stem: str
    frame_size: int | None


def render_controls(usable: Sequence[tuple[RunRecord, float]], asked: str) -> SegmentChoice:
    """Draw the choices and return them; the best run is chosen unless the address names another."""
    names = {
        run.id: f"{text.shorten(run.name, 48)} · {formats.score(score)} ({run.id})" for run, score in usable
    }
    ids = list(names)
    if asked in ids:
        st.session_state[keys.SEGMENT_RUN] = asked
    elif st.session_state.get(keys.SEGMENT_RUN) not in ids:
        st.session_state[keys.SEGMENT_RUN] = ids[0]
    left, right = st.columns([3, 2], gap="large")
    upload = left.file_uploader(
        "Image", type=["png", "jpg", "jpeg", "tif", "tiff"], key=keys.SEGMENT_UPLOAD,
        help="Gray or colour, any size up to 50 megapixels. It is segmented on this machine.",
    )  # fmt: skip
    run_id = right.selectbox(
        "Network", ids, key=keys.SEGMENT_RUN, persist_state="session", help="Best test score first.",
        format_func=lambda run_id: names[run_id],
        on_change=lambda: state.to_address(keys.RUN, st.session_state[keys.SEGMENT_RUN]),
    )  # fmt: skip
    frame_size = right.selectbox(
        "Scale", _FRAMES, key=keys.SEGMENT_FRAME, persist_state="session", format_func=_frame_name,
        help="Terrain looks different at another scale. Networks work best at the scale of the frames that "
        "their training tiles were cut from.",
    )  # fmt: skip
    content = upload.getvalue() if upload is not None else None
    stem = PurePath(upload.name).stem if upload is not None else "image"
    return SegmentChoice(run_id, content, stem, frame_size or None)


def render_result(result: SegmentedImage, stem: str) -> None:
    """The mask over the image, the share of each class, and downloads."""
    height, width = result.image.shape
    viewer, facts = st.columns([3, 1], gap="large")
    with viewer:
        panel = Panel(
            f"{width} × {height} pixels", result.image, mask=result.mask, confidence=result.confidence
        )
        render_mask_grid([PanelRow("", [panel])], key=keys.SEGMENT_VIEWER)
    with facts:
        st.markdown("**Share of each class**")
        charts.render_chart(charts.class_share_chart(result.shares), keys.SEGMENT_SHARES)
        worked_h, worked_w = result.working_size
        st.caption(
            f"{formats.duration(result.seconds)}; the network worked on {worked_w} × {worked_h} pixels. "
            "It always names a terrain class: sky and rover parts get one too."
        )
        st.download_button(
            "Mask PNG", result.mask_png, f"{stem}_mask.png", "image/png", type="primary", on_click="ignore",
            icon=":material/download:", help="Indexed colour; the pixel value is the class number.",
        )  # fmt: skip
        st.download_button(
            "Overlay PNG", result.overlay_png, f"{stem}_overlay.png", "image/png", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip


def _frame_name(frame: int) -> str:
    return "as in training" if frame == _AS_TRAINED else f"as if frames were {frame} × {frame}"
