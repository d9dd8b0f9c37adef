"""AdamW that leaves biases and norms alone, its rate step by step, and the rules that watch the score."""

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
    Gradients are clipped by the norm of all together (Pascanu 2013). In mixed precision a dynamic loss scale
    wraps it all (Micikevicius 2018): what is clipped and averaged is unscaled, and a step that overflows
    is left out.
    """
    import keras

    optimizer = keras.optimizers.AdamW(
        config.learning_rate,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm or None,
        use_ema=config.ema,
        ema_momentum=config.ema_decay,
    )
    optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if len(v.shape) <= 1])
    if config.mixed_precision:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer


@dataclass(frozen=True, slots=True)
class Watch:
    """What plateau rule and early stopping remember of the validation scores so far.

    Args:
        learning_rate: what the plateau rule has left of the rate; other schedules leave it alone.
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
        if config.schedule != "plateau" or waited < config.plateau_patience:
            return state
        return replace(state, learning_rate=self.learning_rate * config.plateau_factor, plateau_epochs=0)

    def with_best(self, epoch: int, score: float) -> Watch:
        """Return a state in which this epoch, the last one, is the best so far; the rate stays."""
        return replace(self, best_epoch=epoch, best_score=score, stale_epochs=0)

    def stops_early(self, config: TrainConfig) -> bool:
        """Whether the score has not improved for as long as the configuration allows."""
        return self.stale_epochs >= config.early_stop_patience

    def to_dict(self) -> dict[str, Any]:
        """The state as plain numbers, as `Watch(**numbers)` takes them."""
        return asdict(self)

    def _is_better(self, score: float) -> bool:
        """Any score beats none; where no epoch has one, the one that trained longest is the best."""
        return self.best_epoch == 0 or math.isnan(self.best_score) or score > self.best_score


def learning_rate_at(config: TrainConfig, watch: Watch, epoch: int, step: int, steps: int) -> float:
    """Rate of one step, by what is known before its epoch begins, so that a resumed run finds the same.

    Warm-up raises it in a line from 0, which is where it stands before the first step, to its full height
    at the last step of `warmup_epochs` (Goyal 2017). Then, under the cosine, it follows half a wave,
    η · (f + (1 − f) · (1 + cos πp) / 2) with p from 0 at the first step to 1 at the last one of
    `config.epochs` (Loshchilov 2017); otherwise it is what the plateau rule has left of it.

    Args:
        watch: the state before the epoch.
        epoch: counted from 1.
        step: counted from 1.
        steps: how many an epoch has.
    """
    done, warm = (epoch - 1) * steps + step, config.warmup_epochs * steps
    if done <= warm:
        return watch.learning_rate * done / warm
    if config.schedule != "cosine":
        return watch.learning_rate
    progress = (done - warm - 1) / max(1, config.epochs * steps - warm - 1)
    floor = config.cosine_floor
    return watch.learning_rate * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)
