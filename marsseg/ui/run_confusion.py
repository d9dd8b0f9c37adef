"""Which classes a run takes for which, on a split of its dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import streamlit as st

from marsseg.classes import BACKGROUND, CLASS_NAMES
from marsseg.config import RunConfig
from marsseg.metrics import DECODINGS, SPLITS, Decoding, Split
from marsseg.ui import charts, formats, keys

Read = Callable[[Split, Decoding], np.ndarray | None]


def render_confusion(run_id: str, config: RunConfig, read: Read) -> None:
    """Draw the confusion matrix of the chosen split and decoding.

    Args:
        read: gives (5, 5) pixels, `[true, predicted]`; None where the run was not judged.
    """
    with st.container(horizontal=True):
        split = st.segmented_control(
            "Split", sorted(SPLITS), default="test", key=keys.CONFUSION_SPLIT, required=True,
            persist_state="session",
        )  # fmt: skip
        decoding = "argmax"
        if config.data.tells_terrain:
            decoding = st.segmented_control(
                "Decoding", sorted(DECODINGS, reverse=True), default="terrain_only",
                key=keys.CONFUSION_DECODING, required=True, persist_state="session",
                format_func=lambda word: formats.DECODING_NAMES[word],
            )  # fmt: skip
    confusion = read(cast(Split, split), cast(Decoding, decoding))
    if confusion is None:
        st.caption("The confusion matrix appears when the run has been evaluated, after its last epoch.")
        return
    matrix, names = _shown(confusion, config, decoding)
    charts.render_chart(charts.confusion_chart(matrix, names), keys.run_chart("confusion", run_id))
    unlabelled = " Background in the truth is unlabelled, and counts under the strict lens only."
    st.caption(
        "Each row: what the pixels of one true class were taken for, as shares of the row."
        + unlabelled * (BACKGROUND.name in names)
    )


def _shown(confusion: np.ndarray, config: RunConfig, decoding: str) -> tuple[np.ndarray, Sequence[str]]:
    """The classes that the run tells apart with this decoding, (C, C) pixels, and their names."""
    first = BACKGROUND.index + 1
    if not config.data.tells_terrain:
        return _background_and_rest(confusion), (BACKGROUND.name, "terrain")
    if decoding == "terrain_only":
        return confusion[first:, first:], CLASS_NAMES[first:]
    return confusion, CLASS_NAMES


def _background_and_rest(confusion: np.ndarray) -> np.ndarray:
    """(2, 2) pixels of background and all terrain together, from (5, 5)."""
    starts = [BACKGROUND.index, BACKGROUND.index + 1]
    return np.add.reduceat(np.add.reduceat(confusion, starts, axis=0), starts, axis=1)
