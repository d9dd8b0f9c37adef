"""Averaged weights: what is judged, kept and exported instead of those that training goes on from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
from keras import ops

from marsseg.training.backend import compile_action


class Averages:
    """Exponential moving averages of a network's weights: a₁ = w₁, aₜ = d · aₜ₋₁ + (1 − d) · wₜ at step t.

    Keras averages the trainable weights, inside the optimizer's own step. Mean and variance of batch
    normalisation are averaged here by the same rule: averaged weights with the statistics of the raw ones
    are worse than either while the weights still move fast (on demo tiles after three epochs with d = 0.99,
    terrain mean IoU 0.10 against 0.21). Both averages are variables of the optimizer, and so in every
    checkpoint. To measure the statistics anew for the averaged weights gave little more (0.21 at that moment,
    up to 0.02 later) and would take another pass over the training tiles after every epoch.

    Args:
        model: the network that is trained.
        optimizer: its optimizer, built. Without averages, all methods leave the network as it is.
        decay: d.
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, decay: float) -> None:
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # loss scaling wraps the one that averages
        self.model = model
        self.optimizer = inner
        self._decay = decay
        # `non_trainable_weights`, unlike `non_trainable_variables`, leaves out the seeds of dropout
        self._statistics = model.non_trainable_weights if inner.use_ema else []
        self._averages = [inner.add_variable_from_reference(v, "average") for v in self._statistics]
        self._update = compile_action(self._follow_statistics)

    def update(self) -> None:
        """Follow the statistics after a step; the optimizer has averaged the trainable weights itself."""
        if self._statistics:
            self._update()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network compute with the averages for a while; raw weights come back bit for bit."""
        weights = self.model.weights if self._exist() else []
        raw = [weight.numpy() for weight in weights]
        try:
            self.use()
            yield
        finally:
            for weight, value in zip(weights, raw, strict=True):
                weight.assign(value)

    def use(self) -> None:
        """Replace the weights by their averages, for good; before the first step there are none."""
        if self._exist():
            self.optimizer.finalize_variable_values(self.model.trainable_variables)
            for statistic, average in zip(self._statistics, self._averages, strict=True):
                statistic.assign(average)

    def _exist(self) -> bool:
        """Whether a step was done: until then all averages are zeros."""
        return bool(self.optimizer.use_ema) and int(self.optimizer.iterations) > 0

    def _follow_statistics(self) -> None:
        kept = ops.where(self.optimizer.iterations > 1, self._decay, 0.0)
        for statistic, average in zip(self._statistics, self._averages, strict=True):
            average.assign(kept * average + (1 - kept) * statistic)
