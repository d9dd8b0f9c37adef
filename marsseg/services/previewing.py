"""What a person is about to run, said before it starts: weights, sizes, time, and what looks unwise."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from marsseg.config import RunConfig
from marsseg.config.machine import require_gpu
from marsseg.config.sizing import NetworkSize, network_size
from marsseg.data.weights import loss_weights
from marsseg.execution.devices import list_gpus
from marsseg.services.advice import advice
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
    weights = tuple(float(w) for w in loss_weights(config, counts))
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
        warnings=tuple(advice(config, weights, parts)),
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
