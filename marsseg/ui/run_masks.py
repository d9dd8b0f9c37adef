"""How the masks of a few fixed validation tiles changed while a run learned."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui.mask_viewer import Scrubber, pack_scrubber, render_scrubber

if TYPE_CHECKING:
    from marsseg.services import Previews


def render_previews(previews: Previews | None, key: str, best_epoch: int | None) -> None:
    """Draw the scrubber; epoch 0 is the network before training."""
    if previews is None:
        st.caption("Masks of eight validation tiles appear here as soon as training begins.")
        return
    render_scrubber(_packed(previews, best_epoch), key=key)
    st.caption("Validation tiles, argmax over all five classes. Epoch 0 is the network before training.")


@lru_cache(maxsize=2)
def _packed(previews: Previews, best_epoch: int | None) -> Scrubber:
    """Pack the epochs once, however often a run that still trains is drawn."""
    return pack_scrubber(
        previews.images,
        previews.epochs,
        previews.masks,
        truth=previews.truth,
        titles=[f"tile {row}" for row in previews.rows],
        best_epoch=best_epoch,
    )
