"""The process of one run: `python -m marsseg.training.worker RUN_ID`.

Reads the run from the store, trains, evaluates, exports, and leaves a last word. TensorFlow is imported
only after the first heartbeat, because that alone takes seconds.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from marsseg.config.machine import require_gpu
from marsseg.data.arrays import DatasetArrays
from marsseg.errors import MarsSegError, NotFoundError, StateError, StoreError
from marsseg.identity import TOKEN_VARIABLE, own_identity
from marsseg.metrics import SPLITS
from marsseg.settings import Settings, load_settings
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, Phase, Progress, RunRecord, RunStatus
from marsseg.training.datasets import open_dataset
from marsseg.training.failures import failure_sentence
from marsseg.training.files import list_unfinished, remove_unfinished
from marsseg.training.provenance import collect_provenance
from marsseg.training.reporting import Heartbeat, HurriedError, StopFlag, StoreReporter, persist
from marsseg.training.signature import export_metadata
from marsseg.training.succession import wake_scheduler

if TYPE_CHECKING:
    from marsseg.training.outcome import Outcome
    from marsseg.training.preparation import Material
    from marsseg.training.trainer import Trainer

LAUNCH_DIGITS = 8
"""How much of a launch token names its checkpoints."""

logger = logging.getLogger("marsseg.worker")


@dataclass(frozen=True, slots=True)
class LastWord:
    """What the store is told at the end."""

    status: RunStatus
    reason: str
    best_epoch: int | None = None


def main(arguments: list[str]) -> int:
    """Work on one run; returns 0 unless it failed."""
    if len(arguments) != 1 or not os.environ.get(TOKEN_VARIABLE):
        sys.stderr.write(
            f"Usage: {TOKEN_VARIABLE}=TOKEN python -m marsseg.training.worker RUN_ID. "
            "The scheduler starts workers; use `python -m marsseg train` instead.\n"
        )
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    stop = StopFlag()
    set_on_signals(stop)
    settings = load_settings()
    try:
        store = RunStore.open(settings)
    except StoreError as error:
        logger.error("%s", error)
        return 1
    try:
        return Worker(settings, store, arguments[0], os.environ[TOKEN_VARIABLE], stop).run()
    finally:
        wake_scheduler(settings, store)


def set_on_signals(stop: StopFlag) -> None:
    """Make SIGTERM and SIGINT set the flag and do nothing else."""

    def remember(number: int, _frame: FrameType | None) -> None:
        stop.set(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, remember)


class Worker:
    """One launch of one run, from its first heartbeat to its last word."""

    def __init__(self, settings: Settings, store: RunStore, run_id: str, token: str, stop: StopFlag) -> None:
        self.settings = settings
        self.store = store
        self.run_id = run_id
        self.token = token
        self.stop = stop
        self.folder = settings.run_dir(run_id)
        self.reporter = StoreReporter(store, run_id, token)

    def run(self) -> int:
        """Work, and tell the store how it ended; says nothing once another launch owns the run.

        Returns:
            The exit status: not 0 when the run failed, or when the store could not be told how it ended.
        """
        word = None
        try:
            self._introduce()
            with Heartbeat(self.reporter, self.stop) as self.heartbeat:
                word = self._attempt()
            self._say_last(word)
        except (StateError, NotFoundError) as error:
            logger.info("Leaving without a word: %s", error)
            return 0
        except StoreError as error:
            unsaid = f" It was not told: {word.status}, {word.reason}" if word else ""
            logger.error("%s%s", error, unsaid)
            return 1
        logger.info("%s: %s", word.status, word.reason)
        return 1 if word.status is RunStatus.FAILED else 0

    def _introduce(self) -> None:
        """Say who works on the run, and clear away what earlier launches were killed over."""
        unfinished = list_unfinished(self.folder)
        self.store.worker_started(self.run_id, self.token, own_identity(self.token))
        remove_unfinished(unfinished)
        self.reporter.progress(Progress(Phase.LOADING))

    def _attempt(self) -> LastWord:
        """Work, and turn whatever that raises into a sentence; the traceback goes to the log."""
        try:
            return self._work()
        except (StateError, NotFoundError):
            raise
        except MarsSegError as error:
            logger.error("%s", error)
            return LastWord(RunStatus.FAILED, failure_sentence(error, self.folder))
        except Exception as error:
            logger.exception("The run failed.")
            return LastWord(RunStatus.FAILED, failure_sentence(error, self.folder))

    def _say_last(self, word: LastWord) -> None:
        if self.heartbeat.disowned.is_set():
            raise StateError(f"Another launch owns run {self.run_id}.")
        run_id, token, best = self.run_id, self.token, word.best_epoch
        persist(lambda: self.store.finish(run_id, token, word.status, word.reason, best_epoch=best))

    def _work(self) -> LastWord:
        run = self.store.get_run(self.run_id)
        if run.config.combine.is_on:
            return self._combine(run)
        dataset, arrays = open_dataset(run, self.store, self.settings)
        trainer = self._prepare(run, dataset, arrays)
        outcome = trainer.train()
        if not outcome.has_scores:
            return LastWord(outcome.status, outcome.sentence())
        status, left_out = outcome.status, ""
        try:
            self._judge(trainer, outcome)
        except HurriedError:
            left_out = self._left_out()
        if left_out and status is RunStatus.COMPLETED:
            status = RunStatus.STOPPED
        sentence = outcome.sentence(left_out=left_out, cause=self.stop.cause)
        return LastWord(status, sentence, outcome.best_epoch)

    def _left_out(self) -> str:
        """What the best weights still lack; empty if all of it was there before, as they are no others."""
        from marsseg.training.outcome import NOT_EVALUATED

        scored = persist(lambda: self.store.list_scored_splits(self.run_id))
        if not scored:
            return NOT_EVALUATED
        if missing := [split for split in SPLITS if split not in scored]:
            return f"{NOT_EVALUATED} on {' and '.join(missing)} tiles"
        return "" if (self.folder / "model.onnx").is_file() else "not exported"

    def _combine(self, run: RunRecord) -> LastWord:
        """Put finished runs together: nothing is learned, and TensorFlow is not needed."""
        from marsseg.training.combining import Combiner

        beat = self.heartbeat.beat
        combiner = Combiner(self.settings, self.store, run, self.reporter, stop=self.stop, beat=beat)
        try:
            return LastWord(RunStatus.COMPLETED, combiner.combine())
        except HurriedError:
            by = f" by {self.stop.cause}" if self.stop.cause else ", as asked"
            return LastWord(RunStatus.STOPPED, f"stopped{by}; nothing was combined")

    def _judge(self, trainer: Trainer, outcome: Outcome) -> None:
        """Evaluate and export the best weights.

        Raises:
            HurriedError: someone asked, in the meantime too, to leave that out.
        """
        self._enter(trainer, Phase.EVALUATING)
        trainer.load_best(outcome)
        self._evaluate(trainer)
        self._export(trainer)

    def _prepare(self, run: RunRecord, dataset: DatasetRecord, arrays: DatasetArrays) -> Trainer:
        from marsseg.training import backend
        from marsseg.training.preparation import prepare
        from marsseg.training.trainer import Trainer

        backend.configure_devices(run.threads or backend.read_threads(os.environ))
        require_gpu(run.config, gpus=backend.count_gpus())
        material = prepare(run.config, arrays, run.dropped_rows)
        material.save_split(self.folder / "split.npz")
        trainer = Trainer(
            run.config,
            material,
            self.folder,
            self.reporter,
            self.stop,
            launch=self.token[:LAUNCH_DIGITS],
            recorded=[(epoch.epoch, epoch.checkpoint) for epoch in self.store.list_epochs(run.id)],
        )
        facts = {**collect_provenance(), **backend.describe_devices(), **_measured(dataset, material)}
        persist(lambda: self.store.record_facts(self.run_id, self.token, provenance=facts))
        return trainer

    def _evaluate(self, trainer: Trainer) -> None:
        """Predict validation and test with the best weights; keep the masks and their confusion matrices."""
        from marsseg.training.evaluation import keep_prediction, predict_split

        material = trainer.material
        for split, tiles in (("validation", material.validation), ("test", material.test)):
            logger.info("Evaluating on %d %s tiles.", len(tiles), split)
            prediction = predict_split(
                trainer.evaluate,
                tiles,
                trainer.config.train.batch_size,
                on_batch=lambda done, total: self._say(trainer, Phase.EVALUATING, done, total),
            )
            self._enter(trainer, Phase.SAVING)
            keep_prediction(prediction, split, self.folder / "predictions", self.reporter)

    def _export(self, trainer: Trainer) -> None:
        from marsseg.training.exporting import export_onnx

        self._enter(trainer, Phase.EXPORTING)
        trainer.save_best()
        material = trainer.material
        metadata = export_metadata(
            self.run_id,
            mean=material.standardizer.mean,
            std=material.standardizer.std,
            frame_size=material.frame_size,
            multiple=2**trainer.config.model.depth,
        )
        export_onnx(trainer.exportable(), self.folder / "model.onnx", metadata)

    def _enter(self, trainer: Trainer, phase: Phase) -> None:
        """Before files are written, ask the store at once whether the run is still this worker's."""
        self._say(trainer, phase)
        self.heartbeat.beat()
        self.stop.raise_if_urgent()

    def _say(self, trainer: Trainer, phase: Phase, step: int = 0, steps: int = 0) -> None:
        self.stop.raise_if_urgent()
        epochs = trainer.config.train.epochs
        self.reporter.progress(Progress(phase, trainer.epoch, epochs, step, steps))


def _measured(dataset: DatasetRecord, material: Material) -> dict[str, Any]:
    return {
        "dataset_sha256": dataset.sha256,
        "train_mean": material.standardizer.mean,
        "train_std": material.standardizer.std,
        "tiles": {
            "train": len(material.training),
            "validation": len(material.validation),
            "test": len(material.test),
        },
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
