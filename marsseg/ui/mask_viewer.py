"""Masks over images, looked at in the browser: opacity, classes, contrast and hover ask Python nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from marsseg.classes import CLASSES

Mode = Literal["image", "overlay", "error", "difference"]

_ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("mask_pixels.js", "mask_controls.js", "mask_viewer.js")
_SETTINGS = "masks"  # one name: who dims masks on one page wants them dimmed on the next


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a row.

    Args:
        title: caption, as typed, e.g. "image", "truth" or a run's name.
        image: (H, W) uint8 gray values.
        mask: (H, W) uint8 class numbers; for mode "difference", nonzero where things differ.
        truth: (H, W) uint8 class numbers; needed by mode "error", where 0 is unlabelled.
        mode: "image" alone; "overlay" of the mask's colours, if there is a mask; "error" map of mask
            against truth;
            "difference": nonzero mask pixels marked.
        confidence: (H, W) float 0–1 of the mask's classes, told on hover.
        note: stands behind the title and is never cut, e.g. a score.
    """

    title: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None = None
    truth: NDArray[np.uint8] | None = None
    mode: Mode = "overlay"
    confidence: NDArray[np.floating[Any]] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PanelRow:
    """Pictures of one tile, side by side; the same pixel is read in all of them."""

    title: str
    panels: Sequence[Panel]


def render_mask_grid(rows: Sequence[PanelRow], *, key: str, scale: int = 3, one_line: bool = False) -> None:
    """Show rows of panels. Settings made in the browser stay across reruns and pages.

    Args:
        rows: the panels; all of a row have the same size.
        key: stable component key.
        scale: enlargement of tiles, nearest neighbour; wide frames share the page's width instead.
        one_line: panels of a row stand on one line, a little smaller where that is all it takes; else those
            without room go below, and a switch fits them to the page.

    Raises:
        ValueError: a panel's arrays do not fit one another or its mode.
    """
    packed = [_packed_row(row.title, [_packed(p) for p in row.panels]) for row in rows]
    _component()(data=_data(packed, scale, one_line=one_line), key=key)


@dataclass(frozen=True, slots=True)
class Scrubber:
    """What `render_scrubber` sends: packed once, it can be drawn again and again."""

    data: dict[str, Any]


def pack_scrubber(
    images: NDArray[np.uint8],
    epochs: Sequence[int],
    masks: NDArray[np.uint8],
    *,
    truth: NDArray[np.uint8] | None = None,
    titles: Sequence[str] | None = None,
    best_epoch: int | None = None,
    scale: int = 3,
) -> Scrubber:
    """Make ready how masks changed from epoch to epoch.

    Args:
        images: (T, H, W) gray values of T tiles.
        epochs: E epoch numbers, rising.
        masks: (E, T, H, W) class numbers after each epoch.
        truth: (T, H, W) class numbers shown first, if given.
        titles: T captions; "tile 1" … unless given.
        best_epoch: marked as such when the slider stands on it.
        scale: enlargement, nearest neighbour.

    Raises:
        ValueError: the arrays do not fit one another.
    """
    if masks.shape != (len(epochs), *images.shape):
        raise ValueError(
            f"Masks of {len(epochs)} epochs and {len(images)} tiles must have shape "
            f"{(len(epochs), *images.shape)}; got {masks.shape}."
        )
    names = titles or [f"tile {tile + 1}" for tile in range(len(images))]
    panels = []
    for tile, (image, name) in enumerate(zip(images, names, strict=True)):
        if truth is not None:
            panels.append(_packed(Panel(f"{name}, truth", image, truth[tile])))
        panels.append({**_packed(Panel(name, image)), "mode": "overlay"})
        panels[-1]["masks"] = [_pack(mask) for mask in masks[:, tile]]
    texts = [f"epoch {epoch}{', the best' if epoch == best_epoch else ''}" for epoch in epochs]
    timeline = {"unit": "epoch", "labels": [int(epoch) for epoch in epochs], "texts": texts}
    return Scrubber(_data([_packed_row("", panels)], scale, timeline if epochs else None))


def render_scrubber(scrubber: Scrubber, *, key: str) -> None:
    """Show how masks changed, with a slider and a play button.

    All masks are sent at once. While the slider stands at the end it follows new epochs.

    Args:
        key: stable component key.
    """
    _component()(data=scrubber.data, key=key)


def _data(
    rows: list[dict[str, Any]], scale: int, timeline: dict[str, Any] | None = None, *, one_line: bool = False
) -> dict[str, Any]:
    """What the component is told; its version is another one as soon as anything is."""
    data: dict[str, Any] = {
        "settings": _SETTINGS,
        "scale": scale,
        "one_line": one_line,
        "classes": [{"name": terrain.name, "color": terrain.color} for terrain in CLASSES],
        "rows": rows,
        "timeline": timeline,
    }
    digest = hashlib.sha256(json.dumps(data).encode()).hexdigest()
    return {**data, "version": digest}


@cache
def _component() -> Any:
    return st.components.v2.component(
        "marsseg_mask_viewer",
        html=(_ASSETS / "mask_viewer.html").read_text("utf-8"),
        css=(_ASSETS / "mask_viewer.css").read_text("utf-8"),
        js="\n".join((_ASSETS / script).read_text("utf-8") for script in _SCRIPTS),
    )


def _packed_row(title: str, panels: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "panels": panels}


def _packed(panel: Panel) -> dict[str, Any]:
    _check(panel)
    height, width = panel.image.shape
    confidence = panel.confidence
    return {
        "title": panel.title,
        "note": panel.note,
        "mode": "image" if panel.mask is None else panel.mode,
        "height": height,
        "width": width,
        "image": _pack(panel.image),
        "masks": [] if panel.mask is None else [_pack(panel.mask)],
        "truth": None if panel.truth is None else _pack(panel.truth),
        "confidence": None if confidence is None else _pack(np.clip(np.rint(confidence * 255), 0, 255)),
    }


def _check(panel: Panel) -> None:
    needed = {"difference": ("mask",), "error": ("mask", "truth")}.get(panel.mode, ())
    for name in ("mask", "truth", "confidence"):
        array = getattr(panel, name)
        if array is None and name in needed:
            raise ValueError(f"Panel {panel.title!r} of mode {panel.mode!r} needs a {name}.")
        if array is not None and array.shape != panel.image.shape:
            raise ValueError(
                f"The {name} of panel {panel.title!r} must have the image's shape "
                f"{panel.image.shape}; got {array.shape}."
            )
    for name in ("mask", "truth"):
        array = getattr(panel, name)
        if array is not None and panel.mode != "difference" and array.max(initial=0) >= len(CLASSES):
            raise ValueError(f"The {name} of panel {panel.title!r} holds {array.max()}; classes are 0–4.")


def _pack(array: NDArray[Any]) -> str:
    """Row-major bytes of an array, deflated, as base64 text."""
    return base64.b64encode(zlib.compress(array.astype(np.uint8).tobytes(), 6)).decode()
