"""Named run configurations, each with where it comes from.

The ladder follows the table of the origin report (a 2024 course project on Mars terrain): each rung keeps
what the rung below it had and adds what the report's next row added. Notes name what a row changed beside
its title.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg.config import RunConfig, parse_values
from marsseg.errors import NotFoundError

ORIGIN = "Origin report (2024 course project on Mars terrain segmentation)"


@dataclass(frozen=True, slots=True)
class Preset:
    """A configuration to start from: a key for the terminal, a title for people, and its source."""

    key: str
    title: str
    source: str
    note: str
    config: RunConfig


_REPORT_TRAINING: dict[str, Any] = {
    "model.filters": 32,
    "train.epochs": 200,
    "train.learning_rate": 1e-4,
    "train.weight_decay": 1e-3,
    "train.batch_size": 16,
    "train.plateau_factor": 0.5,
    "train.plateau_patience": 10,
    "train.early_stop_patience": 30,
}

_FOCAL_AS_RUN: dict[str, Any] = {
    "loss.cross_entropy": 0.0,
    "loss.focal": 1.0,
    "loss.focal_gamma": 2.0,
    "loss.focal_alpha": 0.25,
}

_NOTEBOOK: dict[str, Any] = {
    **_REPORT_TRAINING,
    **_FOCAL_AS_RUN,
    "model.depth": 2,
    "model.filters": 32,
    "model.normalization": "group",
    "model.groups": 16,
    "model.squeeze_excite": True,
    "model.residual": True,
    "model.skip_gate": "sigmoid_only",
    "model.activation": "leaky_relu",
    "loss.class_weights.mode": "inverse_frequency",
    "loss.class_weights.background": 0.0,
    "augment.brightness": 0.5,
    "augment.brightness_strength": 0.2,
    "augment.auto_contrast": 0.5,
    "train.learning_rate": 1e-3,
}

_RECOMMENDED: dict[str, Any] = {
    "loss.dice": 1.0,
    "augment.rock_oversampling": 4.0,
    "augment.rock_paste": 0.5,
    "train.epochs": 40,
    "train.batch_size": 8,
    "train.learning_rate": 2e-3,
    "train.schedule": "cosine",
    "train.warmup_epochs": 1,
}

_RUNGS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "U-Net, cross-entropy",
        "With random brightness and auto-contrast, which the report used in every row. It does not say how "
        "often or how much; here half of the tiles get each, brightness by up to a fifth of the range.",
        {"augment.brightness": 0.5, "augment.brightness_strength": 0.2, "augment.auto_contrast": 0.5},
    ),
    ("+ focal loss", "Focal loss with the parameters of the authors' notebooks.", _FOCAL_AS_RUN),
    (
        "+ class weights",
        "Inverse-frequency weights with background 0.",
        {"loss.class_weights.mode": "inverse_frequency", "loss.class_weights.background": 0.0},
    ),
    (
        "+ residual connections",
        "Shortcuts over each two-convolution block, with leaky ReLU.",
        {"model.residual": True, "model.activation": "leaky_relu"},
    ),
    ("+ skip gate", "Encoder features pass a gate (after Jiang 2021).", {"model.skip_gate": "gated"}),
    (
        "+ Squeeze-and-Excitation",
        "The report's final network (test score 0.701 there).",
        {"model.squeeze_excite": True},
    ),
)


def _ladder() -> list[Preset]:
    values = dict(_REPORT_TRAINING)
    rungs = []
    for number, (title, note, change) in enumerate(_RUNGS, start=1):
        values |= change
        rungs.append(_preset(f"ladder-{number}", f"Ladder {number}: {title}", ORIGIN, note, values))
    return rungs


def _preset(key: str, title: str, source: str, note: str, values: dict[str, Any]) -> Preset:
    return Preset(key, title, source, note, parse_values(values))


def _build() -> dict[str, Preset]:
    ladder = _ladder()
    final = ladder[-1].config
    report_source = f"{ORIGIN}, final configuration"
    presets = [
        _preset(
            "quick",
            "Quick",
            "MarsSeg Lab",
            "A small network for a first result in minutes on two cores.",
            {
                "model.filters": 8,
                "model.depth": 2,
                "train.epochs": 16,
                "train.batch_size": 8,
                "train.learning_rate": 3e-3,
                "train.plateau_patience": 3,
            },
        ),
        _preset("default", "Default", "MarsSeg Lab", "Every field at its default.", {}),
        _preset(
            "recommended",
            "Recommended",
            "MarsSeg Lab, docs/results.md",
            "The best by validation of what was tried on real tiles for six epochs: cross-entropy and Dice, "
            "tiles with big rock drawn four times as often, big rocks pasted, a cosine schedule.",
            _RECOMMENDED,
        ),
        *ladder,
        Preset(
            "report-as-run",
            "Report's final, gamma as run",
            report_source,
            "Focal alpha 0.25 and gamma 2.0, as the authors' notebooks set them.",
            final,
        ),
        Preset(
            "report-as-printed",
            "Report's final, gamma as printed",
            report_source,
            "The report prints gamma = 0.25 and beta = 2.0; beta is taken as the scale alpha.",
            final.with_values({"loss.focal_gamma": 0.25, "loss.focal_alpha": 2.0}),
        ),
        _preset(
            "notebook",
            "Authors' notebook",
            "The origin report's authors' own notebooks, as they ran them",
            "Two levels deep (filters 32, 64, 128), group normalisation in 16 groups, learning rate 1e-3, "
            "and a skip gate of which only the map itself is passed on.",
            _NOTEBOOK,
        ),
    ]
    return {preset.key: preset for preset in presets}


PRESETS: dict[str, Preset] = _build()
LADDER: tuple[Preset, ...] = tuple(PRESETS[f"ladder-{number}"] for number in range(1, len(_RUNGS) + 1))
"""The rows of the report's table, in its order: each scored higher there than the one before it."""


def get_preset(key: str) -> Preset:
    """Look up a preset by its key.

    Raises:
        NotFoundError: no preset has that key.
    """
    if key not in PRESETS:
        raise NotFoundError(f"There is no preset called {key!r}; choose one of {', '.join(PRESETS)}.")
    return PRESETS[key]
