"""What a person is about to run, said before it starts: weights, sizes, time, and what looks unwise."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from marsseg.classes import CLASS_NAMES
from marsseg.config import LossConfig, RunConfig
from marsseg.config.fields import ui_of
from marsseg.config.loss import TERMS, WEIGHTED_TERMS
from marsseg.config.machine import require_gpu
from marsseg.config.sizing import NetworkSize, network_size
from marsseg.data.weights import class_weights
from marsseg.execution.devices import list_gpus
from marsseg.services.datasets import pixel_counts
from marsseg.services.lab import Lab
from marsseg.services.splits import SplitPart, split_for, split_summary
from marsseg.services.waiting import Waiting, waiting
from marsseg.store.records import ENDED_WELL

TYPICAL_MULTIPLY_ADDS_PER_SECOND = 4.0e9
"""Forward multiply-adds a second while training on two plain cores; used until a run was measured."""
_SECONDS_BEFORE_FIRST_STEP = 30.0


@dataclass(frozen=True, slots=True)
class RunPreview:
    """What a run would do.

    Args:
        weights: the five class weights that the loss would use.
        seconds_per_epoch: estimate on this machine.
        measured: whether the estimate comes from runs on this machine.
        warnings: sentences on what is allowed but looks unwise.
        waiting: whether it would have to wait, and for what.
    """

    weights: tuple[float, ...]
    split: tuple[SplitPart, ...]
    size: NetworkSize
    seconds_per_epoch: float
    seconds_total: float
    measured: bool
    warnings: tuple[str, ...]
    waiting: Waiting


def preview(lab: Lab, config: RunConfig, *, priority: int = 0) -> RunPreview:
    """Work out what a valid configuration would do, without starting anything.

    Raises:
        ConfigError: it asks for a GPU, and there is none.
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split, or fills no batch.
    """
    require_gpu(config, gpus=len(list_gpus()))
    record = lab.store.get_dataset(config.data.dataset)
    split = split_for(lab, config)
    counts = pixel_counts(lab, record)[split.train].sum(axis=0)
    weights = tuple(float(w) for w in class_weights(config.loss.class_weights, counts))
    parts = tuple(split_summary(lab, config.data))
    height, width = record.meta["tile"]
    size = network_size(config.model, height=height, width=width)
    rate, measured = _multiply_adds_per_second(lab)
    per_epoch = (len(split.train) + 0.3 * len(split.validation)) * size.multiply_adds / rate
    return RunPreview(
        weights=weights,
        split=parts,
        size=size,
        seconds_per_epoch=per_epoch,
        seconds_total=per_epoch * config.train.epochs + _SECONDS_BEFORE_FIRST_STEP,
        measured=measured,
        warnings=tuple(_warnings(config, weights, parts)),
        waiting=waiting(lab, priority),
    )


def _multiply_adds_per_second(lab: Lab) -> tuple[float, bool]:
    rates = []
    for run in lab.store.list_runs(statuses=ENDED_WELL, limit=5):
        epochs = lab.store.list_epochs(run.id)
        if epochs:
            speed = median(epoch.images_per_second for epoch in epochs)
            rates.append(speed * network_size(run.config.model).multiply_adds)
    return (median(rates), True) if rates else (TYPICAL_MULTIPLY_ADDS_PER_SECOND, False)


def _warnings(config: RunConfig, weights: tuple[float, ...], parts: tuple[SplitPart, ...]) -> list[str]:
    warnings = []
    if max(weights) > 50:
        heaviest = CLASS_NAMES[weights.index(max(weights))]
        warnings.append(
            f"{heaviest.capitalize()} would weigh {max(weights):.0f} times an average pixel; "
            "a cap of 10 to 20 keeps training stable."
        )
    if config.loss.class_weights.background > 0 and config.loss.class_weights.mode != "manual":
        warnings.append("Background counts in the loss, but the terrain and course lenses do not reward it.")
    if config.loss.class_weights.mode != "none":
        warnings += _reach_of_class_weights(config.loss)
    if config.data.flip_vertical:
        warnings.append("Flipping up-down turns horizon and shadows over; check that it helps.")
    train = config.train
    has_plateau = train.schedule == "plateau" and train.plateau_factor < 1
    if has_plateau and train.plateau_patience >= train.epochs:
        warnings.append("The run ends before the plateau rule can lower the learning rate.")
    if train.warmup_epochs >= train.epochs:
        warnings.append("The run ends before the learning rate has risen to its full height.")
    warnings += [f"The {part.name} part holds no big rock." for part in parts if not part.with_big_rock]
    return warnings


def _reach_of_class_weights(loss: LossConfig) -> list[str]:
    """A sentence on the switched-on terms that class weights do not scale, if there are any."""
    on = [term for term in TERMS if getattr(loss, term)]
    scaled = [_in_a_sentence(term) for term in on if term in WEIGHTED_TERMS]
    alike = [_in_a_sentence(term) for term in on if term not in (*WEIGHTED_TERMS, "generalized_dice")]
    rest = []
    if alike:
        rest.append(f"{_joined(alike)} {'counts' if len(alike) == 1 else 'count'} every labelled class alike")
    if loss.generalized_dice:
        rest.append(f"{_in_a_sentence('generalized_dice')} goes by the size of a class in the batch")
    reach = f"act on {_joined(scaled)} only" if scaled else "only say which classes are labelled"
    return [f"Class weights {reach}; {_joined(rest)}."] if rest else []


def _in_a_sentence(term: str) -> str:
    """Label of a term as it reads within a sentence: small, unless it is a person's name."""
    label = ui_of(LossConfig, term).label
    return label if label.startswith(("Dice", "Lovász", "Tversky")) else label[0].lower() + label[1:]


def _joined(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
