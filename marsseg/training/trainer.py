"""The training loop: epochs, validation, checkpoints, early stop, and an end that says why."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import keras

from marsseg.config import RunConfig
from marsseg.data.splits import steps_per_epoch
from marsseg.errors import NotFoundError, StateError
from marsseg.store.records import EpochRecord, Phase, Progress
from marsseg.training.averaging import Averages
from marsseg.training.backend import build_evaluation_step, build_training_step, seed_everything
from marsseg.training.checkpoints import Checkpoint, Checkpoints, TrainingState, UnreadableError, restore
from marsseg.training.epochs import build_record, log_record, score_to_select_by, selection_score
from marsseg.training.evaluation import SplitPrediction, predict_split
from marsseg.training.files import remove_results
from marsseg.training.losses import BackgroundLoss, build_loss
from marsseg.training.networks import build_networks
from marsseg.training.optimizer import Watch, build_optimizer, learning_rate_at
from marsseg.training.outcome import Outcome, completed, diverged, stopped, stopped_early
from marsseg.training.pace import Pace
from marsseg.training.precision import in_full_precision, precision
from marsseg.training.preparation import Material
from marsseg.training.previews import Previews
from marsseg.training.reporting import HurriedError, Reporter, StopFlag
from marsseg.training.resuming import find_start
from marsseg.training.weights import load_weights, save_weights

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
        with precision(mixed=train.mixed_precision):
            self.networks = build_networks(self.config.model, seed=train.seed)
        self.model = self.networks.training
        self.optimizer = build_optimizer(train, self.model)
        self.averages = Averages(self.model, self.optimizer, train.ema_decay)
        loss = build_loss(self.config.loss, self.material.class_weights.tolist())
        if self.config.data.target == "background":
            loss = BackgroundLoss(loss)
        self.train_step = build_training_step(
            self.model, self.optimizer, loss, self.networks.output_weights, xla=train.xla
        )
        self.evaluate = build_evaluation_step(self.networks.inference, loss)
        parameters = self.networks.inference.count_params()
        self.reporter.facts(parameters=parameters, class_weights=self.material.class_weights)

    @property
    def epoch(self) -> int:
        """The epoch that is, or was last, worked on, counted from 1."""
        return self._position[0]

    def train(self) -> Outcome:
        """Train until the epochs are done, the score stalls, the loss diverges, or someone asks to stop.

        Raises:
            CheckpointError: what was saved belongs to another network, or the disk does not give it now.
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
        """Give the networks the weights of the best epoch, averaged if so asked, to evaluate and export them.

        When no epoch was completed, they keep those they have. Training cannot go on afterwards.

        Raises:
            UnreadableError: they were damaged meanwhile.
        """
        best = None if outcome.best_epoch is None else self._find_best(outcome.best_epoch)
        if best is not None:
            restore(best, self.model, self.optimizer)
        elif outcome.best_epoch is not None:
            load_weights(self.networks.inference, self.best_weights)  # older than any averages
        self.averages.use()

    def save_best(self) -> None:
        """Write `best.weights.h5` from the weights that the network has now, as it is used."""
        save_weights(self.networks.inference, self.best_weights)

    def exportable(self) -> keras.Model:
        """The network as it is used, with the weights of now, in float32."""
        return in_full_precision(self.networks.inference, self.config.model)

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
        logger.info("%s", start.message or "Begins.")
        # Told before any file goes: the run may be another launch's by now.
        if not self.reporter.begins(start.epoch, start.message, best_epoch=start.best_epoch):
            remove_results(self.folder)
        self.checkpoints.go_on_after(start.epoch, start.best_epoch)
        self._position = (min(start.epoch + 1, self.config.train.epochs), 0)
        self._say(Phase.BUILDING)
        if start.checkpoint is None:
            self.previews.begin(self.evaluate)
            return TrainingState(0, Watch(self.config.train.learning_rate))
        state = restore(start.checkpoint, self.model, self.optimizer)
        return self._with_new_best(state) if start.is_best_lost else state

    def _with_new_best(self, state: TrainingState) -> TrainingState:
        """Let the last epoch be the best one, as a better one cannot be evaluated any more."""
        with self.averages.in_place():
            validation = self._validate(state.epoch)
        score = math.nan if validation is None else score_to_select_by(validation, self.config.data.target)
        return replace(state, watch=state.watch.with_best(state.epoch, score))

    def _ending(self, state: TrainingState) -> Outcome | None:
        """Why training is over after this state; None when it is not."""
        train = self.config.train
        if state.epoch >= train.epochs:
            return completed(state)
        if state.watch.stops_early(train):
            return stopped_early(state, train.early_stop_patience)
        if self.stop.is_set():
            epoch, step = self._position
            return stopped(state, step if epoch > state.epoch else 0, self.steps)
        return None

    def _epoch(self, state: TrainingState) -> TrainingState:
        """Run the next epoch and return the state after it; the same state if it was cut short by a stop."""
        epoch, began = state.epoch + 1, time.perf_counter()
        loss = self._train_batches(epoch, state.watch)
        stepped = time.perf_counter()
        if loss is None:
            return state
        with self.averages.in_place():
            validation = self._validate(epoch)
            if validation is None:
                return state
            self._say(Phase.SAVING)
            self.previews.save(epoch, self.evaluate)
        now = time.perf_counter()
        record = build_record(
            epoch,
            loss,
            validation,
            target=self.config.data.target,
            learning_rate=self._rate(state.watch, epoch, self.steps),
            seconds=now - began,
            images_per_second=self.pace.epoch_ended(now - stepped),
        )
        watch = state.watch.after(epoch, selection_score(record, self.config.data.target), self.config.train)
        after = TrainingState(epoch, watch, state.train_seconds + record.seconds)
        self._keep(after, record)
        return after

    def _train_batches(self, epoch: int, watch: Watch) -> float | None:
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
            self.optimizer.learning_rate.assign(self._rate(watch, epoch, step))
            loss = self.train_step(images, masks)
            self.averages.update()
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
        """Predict the validation split with the weights in place; None if the stop is in a hurry."""
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
        is_best = state.watch.best_epoch == state.epoch
        try:
            self.reporter.epoch(replace(record, checkpoint=name), is_best=is_best)
        except (StateError, NotFoundError):
            self.checkpoints.discard(name)
            raise
        if is_best:
            remove_results(self.folder)
        self.checkpoints.accept(state, name)
        log_record(record, self.config.train.epochs, self.config.data.target)

    def _rate(self, watch: Watch, epoch: int, step: int) -> float:
        return learning_rate_at(self.config.train, watch, epoch, step, self.steps)

    def _say_validating(self, batch: int, batches: int) -> None:
        self.stop.raise_if_urgent()
        epochs = self.config.train.epochs
        self.reporter.progress(Progress(Phase.VALIDATING, self.epoch, epochs, batch, batches))

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
