"""The training loop: epochs, validation, checkpoints, early stop, and an end that says why."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from marsseg.config import RunConfig
from marsseg.errors import MarsSegError
from marsseg.metrics import Decoding, class_iou, mean_iou
from marsseg.store.records import EpochRecord, Phase, Progress, RunStatus
from marsseg.training.backend import build_evaluation_step, seed_everything
from marsseg.training.checkpoints import (
    Checkpoints,
    TrainingState,
    load_weights,
    restore,
    save_weights,
)
from marsseg.training.evaluation import SplitPrediction, predict_split
from marsseg.training.inputs import steps_per_epoch
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network
from marsseg.training.optimizer import Watch, build_optimizer
from marsseg.training.pace import Pace
from marsseg.training.preparation import Material
from marsseg.training.previews import Previews
from marsseg.training.reporting import Reporter, StopFlag

SELECTION_DECODING: Decoding = "terrain_only"
"""Decoding under which validation picks the best epoch: that of the leaderboard's default."""

logger = logging.getLogger(__name__)


class DivergedError(MarsSegError):
    """The loss is no finite number any more, so going on would only spoil the weights."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How training ended.

    Args:
        status: completed or stopped.
        reason: a sentence for people.
        scores: whose scores a stopped run has, to follow the reason.
        best_epoch: the epoch whose weights were kept; None when no epoch was completed.
        train_seconds: time spent on finished epochs, over all launches.
    """

    status: RunStatus
    reason: str
    best_epoch: int | None
    train_seconds: float
    scores: str = ""


class Trainer:
    """Trains one network; knows nothing of stores and processes.

    Args:
        config: everything that decides the numbers.
        material: tiles and class weights.
        folder: where checkpoints, previews and the best weights go; checkpoints found there are continued.
        reporter: hears of progress and epochs.
        stop: once set, training ends at the next batch.
    """

    def __init__(
        self, config: RunConfig, material: Material, folder: Path, reporter: Reporter, stop: StopFlag
    ) -> None:
        self.config = config
        self.material = material
        self.folder = folder
        self.reporter = reporter
        self.stop = stop
        self.best_weights = folder / "best.weights.h5"
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.previews = Previews(material.validation, folder / "previews")
        self.steps = steps_per_epoch(len(material.training), config.train.batch_size)
        self.pace = Pace(min(config.train.batch_size, len(material.training)), self.steps)
        self._position = (1, 0)  # epoch and batches done in it
        self._build()

    def _build(self) -> None:
        train = self.config.train
        self._say(Phase.BUILDING)
        seed_everything(train.seed, deterministic=train.deterministic)
        self.model = build_network(self.config.model, seed=train.seed)
        self.optimizer = build_optimizer(train, self.model)
        loss = build_loss(self.config.loss, self.material.class_weights.tolist())
        # XLA is off: compiling takes minutes on a CPU, and Keras rules it out for deterministic runs.
        self.model.compile(optimizer=self.optimizer, loss=loss, jit_compile=False)
        self.evaluate = build_evaluation_step(self.model, loss)
        self.reporter.facts(parameters=self.model.count_params(), class_weights=self.material.class_weights)

    @property
    def epoch(self) -> int:
        """The epoch that is, or was last, worked on, counted from 1."""
        return self._position[0]

    def train(self) -> Outcome:
        """Train until the epochs are done, the score stalls, or someone asks to stop.

        Raises:
            DivergedError: the loss became NaN or infinite; checkpoints keep the last finite weights.
        """
        state = self._begin()
        while (outcome := self._ending(state)) is None:
            state = self._epoch(state)
        logger.info("Training ended: %s.", outcome.reason)
        return outcome

    def load_best(self, outcome: Outcome) -> None:
        """Give the model its best weights, those that are evaluated and exported.

        When no epoch was completed, these are the current ones, and `outcome.scores` says so; no epoch is
        recorded for them.
        """
        if outcome.best_epoch is None:
            save_weights(self.model, self.best_weights)
        load_weights(self.model, self.best_weights)

    def _begin(self) -> TrainingState:
        """Continue from the newest checkpoint, or start with an untrained network's previews."""
        self.checkpoints.clean()
        found = self.checkpoints.find_latest()
        if found is None:
            self.previews.begin(self.evaluate)
            return TrainingState(0, Watch(self.config.train.learning_rate))
        state = restore(found, self.model, self.optimizer)
        if state.watch.best_epoch == state.epoch:  # the process may have died before it wrote them
            save_weights(self.model, self.best_weights)
        self._position = (state.epoch + 1, 0)
        logger.info("Continuing after epoch %d.", state.epoch)
        return state

    def _ending(self, state: TrainingState) -> Outcome | None:
        """Why training is over after this state; None when it is not."""
        train = self.config.train
        if state.epoch >= train.epochs:
            return self._outcome(state, RunStatus.COMPLETED, _epochs(state.epoch))
        if state.watch.stops_early(train):
            patience = f"no better validation score for {_epochs(train.early_stop_patience)}"
            return self._outcome(
                state, RunStatus.COMPLETED, f"early stop after epoch {state.epoch}: {patience}"
            )
        if self.stop.is_set():
            stopped = self._outcome(state, RunStatus.STOPPED, self._where_stopped(state))
            return replace(stopped, scores=_whose_scores(state))
        return None

    def _where_stopped(self, state: TrainingState) -> str:
        epoch, step = self._position
        if epoch == state.epoch or step == 0:
            return f"stopped before epoch {state.epoch + 1}"
        return f"stopped in epoch {epoch} after step {step} of {self.steps}"

    def _outcome(self, state: TrainingState, status: RunStatus, reason: str) -> Outcome:
        return Outcome(status, reason, state.watch.best_epoch or None, state.train_seconds)

    def _epoch(self, state: TrainingState) -> TrainingState:
        """Run the next epoch and return the state after it; the same state if it was cut short by a stop."""
        epoch, began = state.epoch + 1, time.perf_counter()
        self.optimizer.learning_rate.assign(state.watch.learning_rate)
        loss = self._train_batches(epoch)
        if loss is None:
            return state
        stepped = time.perf_counter()
        validation = self._validate(epoch)
        self.previews.save(epoch, self.evaluate)
        seconds = time.perf_counter() - began
        rate = self.pace.epoch_ended(time.perf_counter() - stepped)
        confusion: np.ndarray = validation.confusions[SELECTION_DECODING].sum(axis=0)
        score = mean_iou(confusion, "terrain")
        record = EpochRecord(
            epoch=epoch,
            loss=loss,
            val_loss=validation.loss,
            val_terrain_miou=score,
            val_class_iou=tuple(float(iou) for iou in class_iou(confusion, "terrain")),
            learning_rate=state.watch.learning_rate,
            seconds=seconds,
            images_per_second=rate,
        )
        watch = state.watch.after(epoch, score, self.config.train)
        after = TrainingState(epoch, watch, state.train_seconds + seconds)
        self._keep(after, record)
        return after

    def _train_batches(self, epoch: int) -> float | None:
        """One pass over the training tiles; returns the mean loss of its steps, None if stopped midway."""
        data, train = self.config.data, self.config.train
        batches = self.material.training.training_batches(
            train.batch_size, seed=train.seed, epoch=epoch, flips=data
        )
        total, before = 0.0, time.perf_counter()
        self._position = (epoch, 0)
        for step, (images, masks) in enumerate(batches, start=1):
            if self.stop.is_set():
                return None
            loss = float(self.model.train_on_batch(images, masks))
            if not math.isfinite(loss):
                raise DivergedError(_diverged(loss, f"epoch {epoch}, step {step}", epoch - 1))
            total += loss
            now = time.perf_counter()
            self.pace.step_took(now - before)
            before = now
            self._position = (epoch, step)
            self._say(Phase.TRAINING)
        return total / self.steps

    def _validate(self, epoch: int) -> SplitPrediction:
        validation = predict_split(self.evaluate, self.material.validation, self.config.train.batch_size)
        if not math.isfinite(validation.loss):
            raise DivergedError(_diverged(validation.loss, f"the validation after epoch {epoch}", epoch - 1))
        return validation

    def _keep(self, state: TrainingState, record: EpochRecord) -> None:
        """Tell of the epoch first: a launch that no longer owns the run is refused there and writes nothing.

        Then the checkpoint, then the best weights, which can be made again from that very checkpoint.
        """
        self.reporter.epoch(record)
        self.checkpoints.save(state, self.model, self.optimizer)
        if state.watch.best_epoch == state.epoch:
            save_weights(self.model, self.best_weights)
        logger.info(
            "epoch %d/%d  loss %.4f  val loss %.4f  val terrain mIoU %.4f  lr %.3g  %.1f s  %.1f images/s",
            record.epoch,
            self.config.train.epochs,
            record.loss,
            record.val_loss,
            record.val_terrain_miou,
            record.learning_rate,
            record.seconds,
            record.images_per_second,
        )

    def _say(self, phase: Phase) -> None:
        (epoch, step), epochs = self._position, self.config.train.epochs
        progress = Progress(phase, epoch, epochs, step, self.steps)
        if phase is Phase.TRAINING:
            progress = replace(
                progress,
                images_per_second=self.pace.images_per_second,
                seconds_left=self.pace.seconds_left(step, epochs - epoch),
            )
        self.reporter.progress(progress)


def _whose_scores(state: TrainingState) -> str:
    if state.epoch == 0:
        return "no epoch was completed, so the scores are those of the weights at that moment"
    return f"the scores are those of epoch {state.watch.best_epoch}, the best of {state.epoch}"


def _diverged(loss: float, where: str, last_epoch: int) -> str:
    kind = "NaN" if math.isnan(loss) else "infinite"
    kept = (
        f"last finite weights kept, those after epoch {last_epoch}" if last_epoch else "no weights were kept"
    )
    return f"loss became {kind} in {where}; {kept}. Try a lower learning rate."


def _epochs(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"
