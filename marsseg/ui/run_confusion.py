"""Which classes a run takes for which, on a split of its dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import streamlit as st

from marsseg.classes import BACKGROUND, CLASS_NAMES
from marsseg.config import RunConfig
from marsseg.metrics import DECODINGS, SPLITS, Decoding, Split
from marsseg.ui import charts, formats, keys

Read = Callable[[Split, Decoding], np.ndarray | None]
_STAGES = (BACKGROUND.name, "terrain")


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
    names = CLASS_NAMES
    if not config.data.tells_terrain:
        confusion, names = _background_and_rest(confusion), _STAGES
    charts.render_chart(charts.confusion_chart(confusion, names), keys.run_chart("confusion", run_id))
    st.caption(
        "Each row shows what the network took the pixels of one true class for, as shares of the row. "
        "Background in the truth is unlabelled, and counts under the strict lens only."
    )


def _background_and_rest(confusion: np.ndarray) -> np.ndarray:
    """(2, 2) pixels of background and all terrain together, from (5, 5)."""
    starts = [BACKGROUND.index, BACKGROUND.index + 1]
    return np.add.reduceat(np.add.reduceat(confusion, starts, axis=0), starts, axis=1)
