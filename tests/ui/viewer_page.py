"""A page with one grid and one scrubber, for the browser test beside it."""

import numpy as np
import streamlit as st

from marsseg.ui.mask_viewer import Panel, PanelRow, pack_scrubber, render_mask_grid, render_scrubber

image = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (64, 1))  # column x holds gray 2x
truth = np.repeat(np.arange(4, dtype=np.uint8), 16)[:, None] * np.ones((1, 128), np.uint8)
found = truth.copy()
found[:, 64:] = 4  # the right half is taken for big rock

st.button("Run again")
epochs = st.number_input("Epochs", value=2, step=1)
render_mask_grid(
    [
        PanelRow(
            "tile <b>1</b>",
            [
                Panel("image", image),
                Panel("truth", image, truth),
                Panel("run <i>a</i>", image, found, confidence=np.full(image.shape, 0.25)),
                Panel("errors", image, found, truth, mode="error"),
            ][: 2 if st.toggle("A pair") else 4],
        )
    ],
    key="grid",
    one_line=st.toggle("One line"),
)
masks = np.stack([np.full((1, 64, 128), epoch % 5, np.uint8) for epoch in range(epochs)])
render_scrubber(pack_scrubber(image[None], list(range(1, epochs + 1)), masks, best_epoch=2), key="scrubber")
