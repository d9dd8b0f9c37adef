"""AdamW that leaves biases and norms alone, and the two rules that watch the validation score."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from marsseg.config import TrainConfig

if TYPE_CHECKING:
    import keras


def build_optimizer(config: TrainConfig, model: keras.Model) -> keras.optimizers.Optimizer:
    """Build AdamW (Loshchilov & Hutter 2019) with decoupled weight decay on kernels only.

    Biases and the scales and offsets of normalisation layers are the trainable variables of rank 0 or 1.
    """
    import keras

    optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay)
    optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if len(v.shape) <= 1])
    optimizer.build(model.trainable_variables)
    return optimizer


@dataclass(frozen=True, slots=True)
class Watch:
    """What plateau rule and early stopping remember of the validation scores so far.

    Args:
        learning_rate: rate of the next epoch.
        best_epoch: epoch of the best score, counted from 1; 0 before the first.
        best_score: that score; NaN when no terrain pixel could be judged.
        stale_epochs: epochs since the best one.
        plateau_epochs: epochs since the best one or the last drop of the rate, whichever is later.
    """

    learning_rate: float
    best_epoch: int = 0
    best_score: float = math.nan
    stale_epochs: int = 0
    plateau_epochs: int = 0

    def after(self, epoch: int, score: float, config: TrainConfig) -> Watch:
        """Return the state after an epoch that scored `score`; a NaN score is worse than any other."""
        if self._is_better(score):
            return Watch(self.learning_rate, best_epoch=epoch, best_score=score)
        waited = self.plateau_epochs + 1
        state = replace(self, stale_epochs=self.stale_epochs + 1, plateau_epochs=waited)
        if waited < config.plateau_patience:
            return state
        return replace(state, learning_rate=self.learning_rate * config.plateau_factor, plateau_epochs=0)

    def stops_early(self, config: TrainConfig) -> bool:
        """Whether the score has not improved for as long as the configuration allows."""
        return self.stale_epochs >= config.early_stop_patience

    def to_dict(self) -> dict[str, Any]:
        """The state as plain numbers, as `Watch(**numbers)` takes them."""
        return asdict(self)

    def _is_better(self, score: float) -> bool:
        if self.best_epoch == 0:
            return True
        if math.isnan(score):
            return False
        return math.isnan(self.best_score) or score > self.best_score
