"""What the training loop tells the outside, and the thread that carries it to the store."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from marsseg.errors import NotFoundError, StateError, StoreError, UnusableStoreError
from marsseg.store.records import EpochRecord, EvaluationRecord, Phase, Progress

if TYPE_CHECKING:
    from marsseg.store import RunStore

Value = TypeVar("Value")
HEARTBEAT_SECONDS = 1.0
PATIENCE_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Waits between attempts to write; each attempt also waits for a busy database."""

logger = logging.getLogger(__name__)


class HurriedError(Exception):
    """Someone asked to end at once; raised between two batches."""


class StopFlag:
    """Says that training shall end at the next batch, and why.

    Plain attributes and no `threading.Event`: a second signal may interrupt the handler of the first, and
    would wait forever for the event's lock.
    """

    def __init__(self) -> None:
        self.cause = ""
        self._is_set = False
        self._is_urgent = False

    def set(self, cause: str = "") -> None:
        """Ask for the end; there is no way back.

        The first who asks is the cause, but a person (empty) comes before any signal: the scheduler sends one
        to those who were asked and do not end, and a process that was suspended hears that first.
        """
        if not self._is_set or not cause:
            self.cause = cause
        self._is_set = True

    def hurry(self) -> None:
        """Ask for the end without evaluation and export."""
        self.set()
        self._is_urgent = True

    def is_set(self) -> bool:
        """Whether someone asked."""
        return self._is_set

    def is_urgent(self) -> bool:
        """Whether evaluation and export shall be left out, too."""
        return self._is_urgent

    def raise_if_urgent(self) -> None:
        """For loops that do not end at a mere request to stop.

        Raises:
            HurriedError: someone asked to end at once.
        """
        if self._is_urgent:
            raise HurriedError


class Reporter(Protocol):
    """Whoever listens to a training run."""

    def progress(self, progress: Progress) -> None:
        """Hear how far things are; called after every batch, so it must return at once."""

    def facts(self, *, parameters: int, class_weights: np.ndarray) -> None:
        """Hear how many parameters the network has and what the classes weigh."""

    def begins(self, epoch: int, message: str, *, best_epoch: int) -> bool:
        """Hear that training begins after `epoch`, and later ones are trained again.

        Args:
            epoch: 0 to begin anew.
            message: why there; empty for a run that has not been trained before.
            best_epoch: the best one by then; 0 to begin anew.

        Returns:
            Whether it was evaluated already, so that scores, masks and exported network are still true.
        """

    def epoch(self, record: EpochRecord, *, is_best: bool) -> None:
        """Hear what an epoch measured, where its checkpoint is, and whether it is the best so far."""

    def evaluation(self, split: str, decoding: str, rows: np.ndarray, confusions: np.ndarray) -> None:
        """Hear the confusion matrices (N, 5, 5) of a split's rows under one decoding."""


def persist(
    write: Callable[[], Value],
    *,
    waits: Sequence[float] = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Value:
    """Write to the store, again after each of `waits` seconds while it refuses: hours of training hang on it.

    Returns:
        What `write` returns.

    Raises:
        StoreError: it still refuses after the last wait.
        UnusableStoreError: at once, as waiting would not help.
        StateError, NotFoundError: at once, as the run is not this worker's any more.
    """
    for seconds in waits:
        try:
            return write()
        except UnusableStoreError:
            raise
        except StoreError as error:
            logger.warning("%s Trying again in %g s.", error, seconds)
            sleep(seconds)
    return write()


class StoreReporter:
    """Writes what it hears to the store, in the name of one launch of one run.

    Progress is only remembered here; `Heartbeat` writes it, off the training loop. All else is written
    with `persist`.
    """

    def __init__(self, store: RunStore, run_id: str, token: str) -> None:
        self.store = store
        self.run_id = run_id
        self.token = token
        self.latest: Progress | None = None

    def progress(self, progress: Progress) -> None:
        """Remember the newest progress."""
        self.latest = progress

    def facts(self, *, parameters: int, class_weights: np.ndarray) -> None:
        """Record the network's size and the class weights."""
        weights = tuple(float(weight) for weight in class_weights)
        persist(
            lambda: self.store.record_facts(
                self.run_id, self.token, parameters=parameters, class_weights=weights
            )
        )

    def begins(self, epoch: int, message: str, *, best_epoch: int) -> bool:
        """Forget later epochs, and scores of any but the best; put the sentence into the timeline."""
        run_id, token = self.run_id, self.token
        return persist(lambda: self.store.go_on_after(run_id, token, epoch, message, best_epoch=best_epoch))

    def epoch(self, record: EpochRecord, *, is_best: bool) -> None:
        """Record one epoch and its checkpoint, and forget scores of a best one before it, all at once."""
        persist(lambda: self.store.add_epoch(self.run_id, self.token, record, is_best=is_best))

    def evaluation(self, split: str, decoding: str, rows: np.ndarray, confusions: np.ndarray) -> None:
        """Record the confusion matrices of one split and decoding."""
        record = EvaluationRecord(self.run_id, split, decoding, rows, confusions)
        persist(lambda: self.store.add_evaluation(self.token, record))


class Heartbeat:
    """A daemon thread that says once a second that the worker lives, and how far it is.

    Args:
        reporter: whose newest progress is written.
        stop: set as soon as the store asks for a stop; what else set it is told to the store.

    As a context manager it beats once at the start and writes the last progress at the end. When the
    store says that another launch owns the run, `disowned` and `stop` are set and nothing more is written.
    A store that is damaged or was moved ends the training, too: a resume goes on from the last checkpoint.
    """

    def __init__(
        self, reporter: StoreReporter, stop: StopFlag, *, interval: float = HEARTBEAT_SECONDS
    ) -> None:
        self.reporter = reporter
        self.stop = stop
        self.interval = interval
        self.disowned = threading.Event()
        self._end = threading.Event()
        self._written: Progress | None = None
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()
        self.beat()

    def beat(self) -> None:
        """Say once that the worker lives; a store that is busy or gone for a moment is tried again later."""
        if self.disowned.is_set():
            return
        try:
            self._give_sign_of_life()
            self._write_progress()
        except (StateError, NotFoundError):
            self.disowned.set()
            self.stop.hurry()
        except UnusableStoreError as error:
            if not self.stop.is_urgent():
                logger.error("%s The run ends here, with its checkpoints.", error)
            self.stop.hurry()
        except StoreError as error:
            logger.warning("%s A heartbeat could not be written.", error)
        except Exception:  # the run must not die of one missed heartbeat
            logger.warning("A heartbeat could not be written.", exc_info=True)

    def _give_sign_of_life(self) -> None:
        store, run_id = self.reporter.store, self.reporter.run_id
        if store.heartbeat(run_id, self.reporter.token, ending=self._ending()):
            self.stop.set()
            if not self.stop.is_urgent() and store.get_run(run_id).stop_now:
                self.stop.hurry()

    def _ending(self) -> str:
        """Why the worker is about to end although nobody asked the store, and when; empty if it is not."""
        if not self.stop.cause:
            return ""
        newest = self.reporter.latest
        is_evaluated = newest is not None and newest.phase in {Phase.EVALUATING, Phase.EXPORTING}
        when = "once it is evaluated and exported" if is_evaluated else "at the next batch"
        return f"Received {self.stop.cause}; ends {when}."

    def _write_progress(self) -> None:
        newest = self.reporter.latest
        if newest is not None and newest is not self._written:
            self.reporter.store.report_progress(self.reporter.run_id, self.reporter.token, newest)
            self._written = newest

    def _loop(self) -> None:
        while not self._end.wait(self.interval):
            self.beat()
