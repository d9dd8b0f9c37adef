"""The training loop: epochs, validation, checkpoints, early stop, and an end that says why."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from marsseg.config import RunConfig
from marsseg.errors import NotFoundError, StateError
from marsseg.metrics import Decoding, class_iou, mean_iou
from marsseg.store.records import EpochRecord, Phase, Progress
from marsseg.training.backend import build_evaluation_step, seed_everything
from marsseg.training.checkpoints import (
    Checkpoint,
    Checkpoints,
    TrainingState,
    UnreadableError,
    restore,
    restore_model,
)
from marsseg.training.evaluation import SplitPrediction, predict_split
from marsseg.training.inputs import steps_per_epoch
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network
from marsseg.training.optimizer import Watch, build_optimizer
from marsseg.training.outcome import Outcome, completed, diverged, stopped, stopped_early
from marsseg.training.pace import Pace
from marsseg.training.preparation import Material
from marsseg.training.previews import Previews
from marsseg.training.reporting import HurriedError, Reporter, StopFlag
from marsseg.training.resuming import find_start
from marsseg.training.weights import load_weights, save_weights

SELECTION_DECODING: Decoding = "terrain_only"
"""Decoding under which validation picks the best epoch: that of the leaderboard's default."""

logger = logging.getLogger(__name__)


class DivergedError(Exception):
    """The loss is no finite number any more: what it was, and where."""

    def __init__(self, loss: float, where: str) -> None:
        super().__init__(loss, where)
        self.loss = loss
        self.where = where


class Trainer:
    """Trains one network; knows nothing of stores and processes.

    Args:
        config: everything that decides the numbers.
        material: tiles and class weights.
        folder: where checkpoints, previews and the best weights go.
        reporter: hears of progress and epochs.
        stop: once set, training ends at the next batch.
        launch: text that tells the files of this launch from those of any other.
        recorded: epochs of earlier launches and names of their checkpoints; training goes on from the newest
            that can be read.
    """

    def __init__(
        self,
        config: RunConfig,
        material: Material,
        folder: Path,
        reporter: Reporter,
        stop: StopFlag,
        *,
        launch: str = "",
        recorded: Iterable[tuple[int, str | None]] = (),
    ) -> None:
        self.config = config
        self.material = material
        self.folder = folder
        self.reporter = reporter
        self.stop = stop
        self.best_weights = folder / "best.weights.h5"
        self.checkpoints = Checkpoints(folder / "checkpoints", launch=launch, recorded=recorded)
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
        """Train until the epochs are done, the score stalls, the loss diverges, or someone asks to stop.

        Raises:
            CheckpointError: what was saved belongs to another network.
            DiskFullError: a checkpoint does not fit; earlier ones are untouched.
        """
        state = self._begin()
        try:
            while (outcome := self._ending(state)) is None:
                state = self._epoch(state)
        except DivergedError as error:
            outcome = diverged(state, error.loss, error.where)
        logger.info("Training ended: %s.", outcome.reason)
        return outcome

    def load_best(self, outcome: Outcome) -> None:
        """Give the model the weights of the best epoch, which are evaluated and exported.

        When no epoch was completed, it keeps those it has.

        Raises:
            UnreadableError: they were damaged meanwhile.
        """
        if outcome.best_epoch is None:
            return
        best = self._find_best(outcome.best_epoch)
        if best is None:
            load_weights(self.model, self.best_weights)
        else:
            restore_model(best, self.model)

    def save_best(self) -> None:
        """Write `best.weights.h5` from the weights that the model has now."""
        save_weights(self.model, self.best_weights)

    def _find_best(self, epoch: int) -> Checkpoint | None:
        """Read the checkpoint of the best epoch; None when only `best.weights.h5` has its weights.

        Runs from before checkpoints were signed kept no more than two, and wrote that file while training.
        """
        try:
            return self.checkpoints.read(epoch)
        except UnreadableError:
            if self.checkpoints.is_unsigned(epoch) and self.best_weights.exists():
                return None
            raise

    def _begin(self) -> TrainingState:
        """Go on from what earlier launches recorded, or start with an untrained network's previews."""
        start = find_start(self.checkpoints, self._find_best, self.config.train.epochs)
        if self.checkpoints.epochs():
            logger.info("%s", start.message)
            self.reporter.resumed(start.epoch, start.message)
        self.checkpoints.go_on_after(start.epoch)
        self._position = (min(start.epoch + 1, self.config.train.epochs), 0)
        self._say(Phase.BUILDING)
        if start.checkpoint is None:
            self.previews.begin(self.evaluate)
            return TrainingState(0, Watch(self.config.train.learning_rate))
        return restore(start.checkpoint, self.model, self.optimizer)

    def _ending(self, state: TrainingState) -> Outcome | None:
        """Why training is over after this state; None when it is not."""
        train = self.config.train
        if state.epoch >= train.epochs:
            return completed(state)
        if state.watch.stops_early(train):
            return stopped_early(state, train.early_stop_patience)
        if self.stop.is_set():
            epoch, step = self._position
            return stopped(state, self.stop.cause, step if epoch > state.epoch else 0, self.steps)
        return None

    def _epoch(self, state: TrainingState) -> TrainingState:
        """Run the next epoch and return the state after it; the same state if it was cut short by a stop."""
        epoch, began = state.epoch + 1, time.perf_counter()
        self.optimizer.learning_rate.assign(state.watch.learning_rate)
        loss = self._train_batches(epoch)
        stepped = time.perf_counter()
        validation = None if loss is None else self._validate(epoch)
        if loss is None or validation is None:
            return state
        self._say(Phase.SAVING)
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
        config, train = self.config, self.config.train
        batches = self.material.training.training_batches(
            train.batch_size, seed=train.seed, epoch=epoch, flips=config.data, augment=config.augment
        )
        total, before = 0.0, time.perf_counter()
        self._position = (epoch, 0)
        if self.pace.has_begun:
            self._say(Phase.TRAINING)
        for step, (images, masks) in enumerate(batches, start=1):
            if self.stop.is_set():
                return None
            loss = float(self.model.train_on_batch(images, masks))
            if not math.isfinite(loss):
                raise DivergedError(loss, f"epoch {epoch}, step {step}")
            total += loss
            now = time.perf_counter()
            self.pace.step_took(now - before)
            before = now
            self._position = (epoch, step)
            self._say(Phase.TRAINING)
        return total / self.steps

    def _validate(self, epoch: int) -> SplitPrediction | None:
        """Predict the validation split with the weights of now; None if the stop is in a hurry."""
        try:
            validation = predict_split(
                self.evaluate, self.material.validation, self.config.train.batch_size, self._say_validating
            )
        except HurriedError:
            return None
        if not math.isfinite(validation.loss):
            raise DivergedError(validation.loss, f"the validation after epoch {epoch}")
        return validation

    def _keep(self, state: TrainingState, record: EpochRecord) -> None:
        """Write the checkpoint, record the epoch together with its name, then remove what is not needed.

        A launch that no longer owns the run is refused at the second, and takes its file back.
        """
        name = self.checkpoints.save(state, self.model, self.optimizer)
        try:
            self.reporter.epoch(replace(record, checkpoint=name))
        except (StateError, NotFoundError):
            self.checkpoints.discard(name)
            raise
        self.checkpoints.accept(state, name)
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

    def _say_validating(self, batch: int, batches: int) -> None:
        self.stop.raise_if_urgent()
        progress = Progress(Phase.VALIDATING, self.epoch, self.config.train.epochs, batch, batches)
        self.reporter.progress(progress)

    def _say(self, phase: Phase) -> None:
        (epoch, step), epochs = self._position, self.config.train.epochs
        progress = Progress(phase, epoch, epochs, step, self.steps)
        if phase is Phase.TRAINING:
            progress = replace(
                progress,
                images_per_second=self.pace.images_per_second,
                seconds_left=self.pace.seconds_left(step, epochs - epoch),
                step_seconds=self.pace.step_seconds,
            )
        self.reporter.progress(progress)
