"""What is allowed in a run but looks unwise, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from marsseg.classes import CLASS_NAMES, TILE_HEIGHT
from marsseg.config import LossConfig, ModelConfig, RunConfig, TrainConfig
from marsseg.config.anatomy import ATROUS_RATES, pooling_windows, supervised_stages
from marsseg.config.fields import ui_of
from marsseg.config.loss import TERMS, WEIGHTED_TERMS
from marsseg.data.splits import steps_per_epoch
from marsseg.services.splits import SplitPart
from marsseg.wording import counted, joined

_HEAVY = 50
"""Times an average pixel; a class that weighs more makes training unstable."""


def advice(config: RunConfig, weights: Sequence[float], parts: Sequence[SplitPart]) -> list[str]:
    """A sentence for each choice that looks unwise.

    Args:
        weights: the five class weights that the loss would use.
        parts: of the split, training first.
    """
    steps = steps_per_epoch(parts[0].tiles, config.train.batch_size) * config.train.epochs
    return [
        *_on_class_weights(config.loss, weights, tells_terrain=config.data.tells_terrain),
        *_on_network_and_tiles(config),
        *_on_training(config.train, steps),
        *(f"The {part.name} part holds no big rock." for part in parts if not part.with_big_rock),
    ]


def _said(*choices: tuple[bool, str]) -> list[str]:
    """The sentences of which the condition before them holds."""
    return [sentence for holds, sentence in choices if holds]


def _on_class_weights(loss: LossConfig, weights: Sequence[float], *, tells_terrain: bool) -> list[str]:
    mode, heaviest, reach = loss.class_weights.mode, max(weights), _reach_of_class_weights(loss)
    by_pixels = mode in {"inverse_frequency", "effective_number"}
    heavy = f"{CLASS_NAMES[list(weights).index(heaviest)].capitalize()} would weigh {heaviest:.0f}"
    one_terrain = "With background as the target all terrain is one class"
    return _said(
        (
            tells_terrain and by_pixels and heaviest > _HEAVY,
            f"{heavy} times an average pixel; a cap of 10 to 20 keeps training stable.",
        ),
        (
            tells_terrain and not by_pixels and heaviest > _HEAVY,
            f"{heavy}; weights of 20 and less keep training stable.",
        ),
        (
            tells_terrain and mode != "manual" and loss.class_weights.background > 0,
            "Background counts in the loss, but the terrain and course lenses do not reward it.",
        ),
        (mode != "none" and bool(reach), reach),
        (
            not tells_terrain and by_pixels and (loss.class_weights.cap or 1) >= 1,
            f"{one_terrain}, and it weighs 1 as without class weights.",
        ),
        (
            not tells_terrain and mode == "manual" and len(set(loss.class_weights.manual[1:])) > 1,
            f"{one_terrain}, and it weighs as much as soil.",
        ),
    )


def _on_network_and_tiles(config: RunConfig) -> list[str]:
    model = config.model
    return _said(
        (
            model.deep_supervision and len(supervised_stages(model)) == 1,
            "Deep supervision has no say: at depth 1 there is no coarser level to predict a mask.",
        ),
        *_on_pyramid(model),
        (
            config.data.flip_vertical,
            "Flipping up-down turns horizon and shadows over; check that it helps.",
        ),
    )


def _on_pyramid(model: ModelConfig) -> list[tuple[bool, str]]:
    """What of a pyramid comes to nothing on features as low as this network's deepest."""
    height = TILE_HEIGHT >> model.depth
    low = f"At depth {model.depth} the deepest features are {counted(height, 'pixel')} high"
    beyond = [str(rate) for rate in ATROUS_RATES if rate >= height]
    return [
        (
            (model.bottleneck == "aspp" or model.architecture == "deeplabv3plus") and bool(beyond),
            f"{low}; atrous {'rates' if len(beyond) > 1 else 'rate'} {joined(beyond)} "
            f"{'reach' if len(beyond) > 1 else 'reaches'} past them.",
        ),
        (
            model.bottleneck == "pyramid_pooling" and 1 in pooling_windows(model),
            f"{low}; a pooling window of a single pixel pools nothing.",
        ),
    ]


def _on_training(train: TrainConfig, steps: int) -> list[str]:
    """Rules that the run is too short for; `steps` is how many it has."""
    reach = round(1 / (1 - train.ema_decay))
    return _said(
        (
            train.schedule == "plateau"
            and train.plateau_factor < 1
            and train.plateau_patience >= train.epochs,
            "The run ends before the plateau rule can lower the learning rate.",
        ),
        (
            train.warmup_epochs >= train.epochs,
            "The run ends before the learning rate has risen to its full height.",
        ),
        (
            train.ema and steps < reach,
            f"The average of weights looks back over about {counted(reach, 'step')}, and the run has "
            f"{steps:,}.",
        ),
    )


def _reach_of_class_weights(loss: LossConfig) -> str:
    """A sentence on the switched-on terms that class weights do not scale; empty if there are none."""
    on = [term for term in TERMS if getattr(loss, term)]
    scaled = [_in_a_sentence(term) for term in on if term in WEIGHTED_TERMS]
    alike = [_in_a_sentence(term) for term in on if term not in (*WEIGHTED_TERMS, "generalized_dice")]
    rest = []
    if alike:
        rest.append(f"{joined(alike)} {'counts' if len(alike) == 1 else 'count'} every labelled class alike")
    if loss.generalized_dice:
        rest.append(f"{_in_a_sentence('generalized_dice')} goes by the size of a class in the batch")
    reach = f"act on {joined(scaled)} only" if scaled else "only say which classes are labelled"
    return f"Class weights {reach}; {joined(rest)}." if rest else ""


def _in_a_sentence(term: str) -> str:
    """Label of a term as it reads within a sentence: small, unless it is a person's name."""
    label = ui_of(LossConfig, term).label
    return label if label.startswith(("Dice", "Lovász", "Tversky")) else label[0].lower() + label[1:]
