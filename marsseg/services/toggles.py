"""The single changes that a study can try, by group: what people compare in an ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from marsseg.config import RunConfig
from marsseg.config.loss import TERMS
from marsseg.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Toggle:
    """One change to a baseline: a label, and values by dotted path of the configuration."""

    label: str
    values: tuple[tuple[str, Any], ...]

    def apply(self, config: RunConfig) -> RunConfig:
        """The baseline with this change."""
        return config.with_values(dict(self.values))


def _toggle(label: str, **values: Any) -> Toggle:
    """Keys write `__` for a dot."""
    return Toggle(label, tuple((key.replace("__", "."), value) for key, value in values.items()))


def _loss(label: str, **terms: float) -> Toggle:
    """A whole loss: these terms and no others, so that it means the same on every baseline."""
    return Toggle(label, tuple((f"loss.{term}", terms.get(term, 0.0)) for term in TERMS))


def _weights(label: str, mode: str, **values: Any) -> Toggle:
    settings = {f"loss__class_weights__{key}": value for key, value in values.items()}
    return _toggle(label, loss__class_weights__mode=mode, **settings)


_NETWORK = (
    _toggle("Squeeze-and-Excitation", model__squeeze_excite=True),
    _toggle("Residual connections", model__residual=True),
    _toggle("scSE", model__squeeze_excite=True, model__se_kind="both"),
    _toggle("SE in the bottleneck only", model__squeeze_excite=True, model__se_placement="bottleneck"),
    _toggle("Drop path 0.1 with residual connections", model__residual=True, model__drop_path=0.1),
    _toggle("Skip gate: gated", model__skip_gate="gated"),
    _toggle("Skip gate: attention", model__skip_gate="attention"),
    _toggle("Skip gate: sigmoid only", model__skip_gate="sigmoid_only"),
    _toggle("Leaky ReLU", model__activation="leaky_relu"),
    _toggle("SiLU", model__activation="silu"),
    _toggle("Group normalisation", model__normalization="group"),
    _toggle("Dropout 0.2", model__dropout=0.2),
    _toggle("Deep supervision", model__deep_supervision=True),
    _toggle("Bottleneck: ASPP", model__bottleneck="aspp"),
    _toggle("Bottleneck: pyramid pooling", model__bottleneck="pyramid_pooling"),
    _toggle("Encoder: ResNet", model__encoder="resnet"),
    _toggle("Encoder: DenseNet", model__encoder="densenet"),
    _toggle("UNet 3+", model__architecture="unet3plus"),
    _toggle("DeepLabV3+", model__architecture="deeplabv3plus"),
)
_LOSS = (
    _loss("Focal loss", focal=1.0),
    _loss("Tversky loss", tversky=1.0),
    _loss("Focal Tversky loss", focal_tversky=1.0),
    _loss("Cross-entropy + Dice", cross_entropy=1.0, dice=1.0),
    _loss("Cross-entropy + generalised Dice", cross_entropy=1.0, generalized_dice=1.0),
    _loss("Cross-entropy + Lovász", cross_entropy=1.0, lovasz=1.0),
    _loss("Cross-entropy + boundary", cross_entropy=1.0, boundary=1.0),
    _loss("Cross-entropy + hard pixels", cross_entropy=1.0, top_k=1.0),
    _loss("Hard pixels alone", top_k=1.0),
    _toggle("Label smoothing 0.1", loss__label_smoothing=0.1),
    _weights("Inverse-frequency weights", "inverse_frequency", cap=None),
    _weights("Inverse frequency capped at 10", "inverse_frequency", cap=10.0),
    _weights("Effective-number weights", "effective_number", cap=None),
    _weights("Effective number capped at 10", "effective_number", cap=10.0),
)
_DATA = (
    _toggle("Oversample big rock ×4", augment__rock_oversampling=4.0),
    _toggle("Paste big rocks", augment__rock_paste=0.5),
    _toggle("Rare-class kit", augment__rock_oversampling=4.0, augment__rock_paste=0.5),
    _toggle("Brightness", augment__brightness=0.5),
    _toggle("Contrast", augment__contrast=0.5),
    _toggle("Auto-contrast", augment__auto_contrast=0.5),
    _toggle("Gamma", augment__gamma=0.5),
    _toggle("Grid mask", augment__grid_mask=0.5),
    _toggle("Grid shuffle", augment__grid_shuffle=0.5),
    _toggle("CutMix", augment__cutmix=0.5),
    _toggle("Crop and resize", augment__crop_resize=0.5),
    _toggle("Elastic", augment__elastic=0.5),
    _toggle("Up-down flip", data__flip_vertical=True),
    _toggle("No left-right flip", data__flip_horizontal=False),
)
_TRAINING = (
    _toggle("Averaged weights", train__ema=True),
    _toggle("Cosine schedule", train__schedule="cosine"),
    _toggle("Constant learning rate", train__schedule="constant"),
    _toggle("Warm-up of 2 epochs", train__warmup_epochs=2),
    _toggle("Gradient clipping 1", train__clip_norm=1.0),
    _toggle("Batches of 8", train__batch_size=8),
    _toggle("Weight decay 0.01", train__weight_decay=0.01),
)

TOGGLE_GROUPS: Mapping[str, tuple[Toggle, ...]] = MappingProxyType(
    {"Network": _NETWORK, "Loss": _LOSS, "Data": _DATA, "Training": _TRAINING}
)
TOGGLES: tuple[Toggle, ...] = tuple(toggle for group in TOGGLE_GROUPS.values() for toggle in group)
"""All of them. They differ in their labels, by which terminal and pages name them; none holds a comma."""


def find_toggle(label: str) -> Toggle:
    """The one change whose label begins so, whatever the case of its letters.

    Raises:
        NotFoundError: none does, or several do.
    """
    wanted = label.strip().casefold()
    exact = [toggle for toggle in TOGGLES if toggle.label.casefold() == wanted]
    found = exact or [toggle for toggle in TOGGLES if wanted and toggle.label.casefold().startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(toggle.label for toggle in found or TOGGLES)
        what = "Several changes begin with" if found else "There is no change"
        raise NotFoundError(f"{what} {label!r}; choose one of: {known}.")
    return found[0]
