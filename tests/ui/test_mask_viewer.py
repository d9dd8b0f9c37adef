from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from marsseg.classes import CLASSES
from marsseg.ui import mask_viewer
from marsseg.ui.mask_viewer import Panel, PanelRow

IMAGE = np.arange(64 * 128, dtype=np.uint32).reshape(64, 128).astype(np.uint8)
MASK = (IMAGE % 5).astype(np.uint8)


@pytest.fixture
def mounted(monkeypatch):
    """What reaches the browser, in place of a running page."""
    calls = []
    monkeypatch.setattr(mask_viewer, "_component", lambda: lambda **call: calls.append(call))
    return calls


def unpacked(text, shape=IMAGE.shape):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)


def test_images_and_masks_arrive_as_they_were(mounted):
    panels = [Panel("image", IMAGE, mode="image"), Panel("truth", IMAGE, MASK)]
    mask_viewer.render_mask_grid([PanelRow("tile 7", panels)], key="k", scale=4)
    (call,) = mounted
    data = call["data"]
    assert call["key"] == "k"
    assert data["scale"] == 4
    assert [terrain["name"] for terrain in data["classes"]] == [terrain.name for terrain in CLASSES]
    (row,) = data["rows"]
    assert row["title"] == "tile 7"
    np.testing.assert_array_equal(unpacked(row["panels"][0]["image"]), IMAGE)
    np.testing.assert_array_equal(unpacked(row["panels"][1]["masks"][0]), MASK)
    assert json.dumps(data)


def test_confidence_is_told_in_steps_a_browser_can_read(mounted):
    confidence = np.full(IMAGE.shape, 0.5, np.float32)
    mask_viewer.render_mask_grid([PanelRow("", [Panel("run", IMAGE, MASK, confidence=confidence)])], key="k")
    panel = mounted[0]["data"]["rows"][0]["panels"][0]
    assert np.unique(unpacked(panel["confidence"])).tolist() == [128]


def test_an_overlay_without_a_mask_is_the_image(mounted):
    mask_viewer.render_mask_grid([PanelRow("", [Panel("image", IMAGE)])], key="k")
    assert mounted[0]["data"]["rows"][0]["panels"][0]["mode"] == "image"


def test_the_same_masks_are_the_same_version_and_others_are_not(mounted):
    for mask in (MASK, MASK.copy(), MASK[::-1]):
        mask_viewer.render_mask_grid([PanelRow("", [Panel("run", IMAGE, mask)])], key="k")
    versions = [call["data"]["version"] for call in mounted]
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(
    ("panel", "says"),
    [
        (Panel("run", IMAGE, MASK[:32]), "shape"),
        (Panel("run", IMAGE, MASK, mode="error"), "needs a truth"),
        (Panel("run", IMAGE, mode="difference"), "needs a mask"),
        (Panel("run", IMAGE, MASK + 1), "holds 5"),
        (Panel("run", IMAGE, MASK, MASK + 1, mode="error"), "holds 5"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(mounted, panel, says):
    with pytest.raises(ValueError, match=says):
        mask_viewer.render_mask_grid([PanelRow("", [panel])], key="k")
    assert not mounted


def test_the_scrubber_sends_every_epoch_once(mounted):
    masks = np.stack([np.stack([MASK, MASK[::-1]]), np.stack([MASK * 0, MASK])])
    scrubber = mask_viewer.pack_scrubber(np.stack([IMAGE, IMAGE]), [3, 4], masks, best_epoch=4)
    mask_viewer.render_scrubber(scrubber, key="k")
    data = mounted[0]["data"]
    assert data["timeline"]["labels"] == [3, 4]
    assert data["timeline"]["texts"] == ["epoch 3", "epoch 4, the best"]
    sent = [[unpacked(mask) for mask in panel["masks"]] for panel in data["rows"][0]["panels"]]
    np.testing.assert_array_equal(np.array(sent), masks.transpose(1, 0, 2, 3))


def test_the_scrubber_shows_truth_beside_each_tile():
    masks = np.stack([np.stack([MASK])])
    scrubber = mask_viewer.pack_scrubber(IMAGE[None], [1], masks, truth=MASK[None], titles=["tile 9"])
    titles = [panel["title"] for panel in scrubber.data["rows"][0]["panels"]]
    assert titles == ["tile 9, truth", "tile 9"]


def test_the_scrubber_refuses_masks_of_another_shape():
    with pytest.raises(ValueError, match="2 epochs and 1 tiles"):
        mask_viewer.pack_scrubber(IMAGE[None], [1, 2], MASK[None, None])


def test_the_component_mounts_in_a_page():
    def script():
        import numpy as np

        from marsseg.ui.mask_viewer import Panel, PanelRow, render_mask_grid

        tile = np.zeros((64, 128), np.uint8)
        render_mask_grid([PanelRow("tile", [Panel("truth", tile, tile)])], key="grid")

    app = AppTest.from_function(script, default_timeout=30).run()
    assert not app.exception
    assert len(app.get("bidi_component")) == 1
