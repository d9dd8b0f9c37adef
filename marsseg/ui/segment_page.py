"""Drop an image, choose a network; see the mask over it, its shares, and take it away."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.metrics import DECODINGS
from marsseg.ui import charts, formats, keys, run_words, state, text
from marsseg.ui.mask_viewer import Panel, PanelRow, render_mask_grid

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.metrics import Decoding
    from marsseg.services import SegmentedImage
    from marsseg.store.records import RunRecord

_AS_TRAINED = 0
_FRAMES = (_AS_TRAINED, 256, 512, 1024)
_MATCHES = {"auto": "matched if far off", "always": "always matched", "never": "as it is"}
_MATCH = {"auto": None, "always": True, "never": False}
_DECODED = {
    "terrain_only": "Every pixel got a terrain class: sky and rover parts, too.",
    "argmax": "A pixel may be background, such as sky and rover parts.",
}
_PIXELS_SHOWN = 4_000_000
_MAX_MEGABYTES = 400  # fifty megapixels of 16-bit colour, and some


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a person handed in."""

    name: str
    content: bytes

    @property
    def stem(self) -> str:
        """The file's name without folder and ending, for what is made of it."""
        return PurePath(self.name.replace("\\", "/")).stem or "image"


@dataclass(frozen=True, slots=True)
class SegmentChoice:
    """What a person chose: fields as those of `marsseg.services.SegmentOptions`."""

    run_id: str
    frame_size: int | None
    match_brightness: bool | None
    decoding: Decoding


def render_controls(
    usable: Sequence[tuple[RunRecord, float]], asked: str, usual: Callable[[RunConfig], Decoding]
) -> SegmentChoice:
    """Draw the choices and return them; the best run is chosen unless the address names another.

    Args:
        usable: runs with a network and their scores, best first.
        asked: id of the run in the address, or empty.
        usual: how the masks of a configuration are decoded as long as a person says nothing.
    """
    names = {
        run.id: f"{formats.score(score)} on {text.shorten(run.dataset_name, 24)} · "
        f"{run_words.name_with_fold(run, 48)} ({run.id})"
        for run, score in usable
    }
    ids = list(names)
    if asked and asked not in ids:
        st.warning(
            "The run in the address does not exist any more, or has no network; another one is chosen.",
            icon=":material/help:",
        )
    if asked in ids:
        st.session_state[keys.SEGMENT_RUN] = asked
    elif st.session_state.get(keys.SEGMENT_RUN) not in ids:
        st.session_state[keys.SEGMENT_RUN] = ids[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run_id = st.selectbox(
            "Network", ids, key=keys.SEGMENT_RUN, persist_state="session",
            help="Best test score first; networks of the demo terrain last.",
            format_func=lambda run_id: names[run_id], width=500,
            on_change=lambda: state.to_address(keys.RUN, st.session_state[keys.SEGMENT_RUN]),
        )  # fmt: skip
        frame_size = st.selectbox(
            "Scale", _FRAMES, key=keys.SEGMENT_FRAME, persist_state="session", format_func=_frame_name,
            width=220,
            help="Terrain looks different at another scale. Networks work best at the scale of the "
            "frames that their training tiles were cut from.",
        )  # fmt: skip
        match = st.selectbox(
            "Brightness", list(_MATCHES), key=keys.SEGMENT_MATCH, persist_state="session", width=220,
            format_func=lambda word: _MATCHES[word],
            help="Gives the image the mean brightness and the contrast of the training tiles before the "
            "network sees it; unless told otherwise, only an image that is far brighter or darker than they.",
        )  # fmt: skip
        first = usual(next(run.config for run, _ in usable if run.id == run_id))
        # One key for each usual answer: a choice for one kind of network is none for the other.
        decoding = st.selectbox(
            "Classes", sorted(DECODINGS, key=lambda word: word != first), key=keys.segment_decoding(first),
            persist_state="session", width=220, format_func=lambda word: formats.DECODING_NAMES[word],
            help="Terrain only: each pixel gets its likeliest terrain class. All five classes: it may be "
            "background too, which a network can only tell if it learned that, as two stages do.",
        )  # fmt: skip
    return SegmentChoice(run_id, frame_size or None, _MATCH[match], decoding)


def render_upload() -> Picture | None:
    """The place to drop an image; one that was dropped stays while a person looks at other pages."""
    upload = st.file_uploader(
        "Image (PNG, JPEG or TIFF)", key=keys.SEGMENT_UPLOAD, on_change=_forget,
        max_upload_size=_MAX_MEGABYTES,  # no `type`: what is no image gets a sentence, not a red mark
        help="Gray or colour, from 8 pixels a side to 50 megapixels. It is segmented on this machine.",
    )  # fmt: skip
    if upload is not None:
        st.session_state[keys.SEGMENT_HELD] = Picture(upload.name, upload.getvalue())
        return st.session_state[keys.SEGMENT_HELD]
    held: Picture | None = st.session_state.get(keys.SEGMENT_HELD)
    if held is None:
        st.caption("The mask, the share of each class and the files to download will appear here.")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Still here: {text.markdown(text.shorten(held.name, 80))}", width="content")
        st.button(
            "Remove", key=keys.SEGMENT_REMOVE, type="tertiary", icon=":material/close:", on_click=_forget
        )
    return held


def _forget() -> None:
    st.session_state.pop(keys.SEGMENT_HELD, None)


def render_result(result: SegmentedImage, stem: str) -> None:
    """The mask over the image, the share of each class, and downloads."""
    _brightness_note(result)
    viewer, facts = st.columns([5, 3], gap="medium")
    with viewer:
        render_mask_grid([PanelRow("", [_panel(result)])], key=keys.SEGMENT_VIEWER)
    with facts:
        st.markdown("**Share of each class**")
        charts.render_chart(charts.class_share_chart(result.shares), keys.SEGMENT_SHARES)
        worked_h, worked_w = result.working_size
        st.caption(
            f"{formats.duration(result.seconds)}; the network worked on {worked_w} × {worked_h} pixels. "
            f"{_DECODED[result.decoding]}"
        )
        st.download_button(
            "Mask PNG", lambda: result.mask_png, f"{stem}_mask.png", "image/png", type="primary",
            on_click="ignore", icon=":material/download:",
            help="Indexed colour; the pixel value is the class number.",
        )  # fmt: skip
        st.download_button(
            "Overlay PNG", lambda: result.overlay_png, f"{stem}_overlay.png", "image/png", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip


def _panel(result: SegmentedImage) -> Panel:
    """The image and its mask, thinned out if a browser would take seconds over each change of opacity."""
    height, width = result.image.shape
    step = math.ceil(math.sqrt(height * width / _PIXELS_SHOWN))
    every = slice(None, None, step)
    thinned = f"; one in {step} × {step} is shown, files hold all" if step > 1 else ""
    return Panel(
        f"{width} × {height} pixels{thinned}",
        result.image[every, every],
        mask=result.mask[every, every],
        confidence=result.confidence[every, every],
    )


def _brightness_note(result: SegmentedImage) -> None:
    """What was done, or should be, about an image much brighter or darker than the training tiles."""
    if not result.far_off:
        return
    word = "brighter" if result.mean_gray > result.trained_gray else "darker"
    fact = (
        f"This image is much {word} than the training tiles "
        f"(mean gray {result.mean_gray:.0f}, theirs {result.trained_gray:.0f})"
    )
    if result.matched:
        st.info(
            f"{fact}, so its brightness and contrast were matched to theirs; read the mask with care.",
            icon=":material/brightness_6:",
        )
    else:
        st.warning(
            f"{fact}, and networks then tend to see one class everywhere; match its brightness.",
            icon=":material/warning:",
        )


def _frame_name(frame: int) -> str:
    return "as in training" if frame == _AS_TRAINED else f"frames of {frame} × {frame}"
