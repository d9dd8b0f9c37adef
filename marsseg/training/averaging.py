"""Averaged weights: what is judged, kept and exported instead of those that training goes on from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@contextlib.contextmanager
def averaged(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Let `model` compute with its averaged weights for a while; the raw ones come back bit for bit.

    Without averages, or before the first step has made any, it computes with the weights that it has.
    """
    if not _has_averages(optimizer):
        yield
        return
    raw = [variable.numpy() for variable in model.trainable_variables]
    try:
        use_averages(model, optimizer)
        yield
    finally:
        for variable, value in zip(model.trainable_variables, raw, strict=True):
            variable.assign(value)


def use_averages(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Replace the trainable weights by their averages, for good.

    The optimizer keeps them among its variables, and so does every checkpoint: a₁ = w₁ after the first step,
    aₜ = d · aₜ₋₁ + (1 − d) · wₜ from then on (Polyak 1992, with an exponential window).

    Mean and variance of batch normalisation stay as they are, which is what Keras does too: they are moving
    averages already, over some ten steps of the raw weights. To measure them for the averaged weights would
    take another pass over the training tiles after every epoch.
    """
    if _has_averages(optimizer):
        optimizer.finalize_variable_values(model.trainable_variables)


def _has_averages(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether it averages, and has done a step: until then its averages are zeros."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # loss scaling wraps the one that averages
    return bool(inner.use_ema) and int(inner.iterations) > 0
