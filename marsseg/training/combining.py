"""A run that combines finished ones: merges their networks, and judges the result like any other."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime

from marsseg.errors import MarsSegError
from marsseg.metrics import SPLITS, Split, decode
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import Phase, Progress, RunRecord
from marsseg.training.datasets import open_dataset
from marsseg.training.evaluation import SplitPrediction, keep_prediction, predict_split
from marsseg.training.files import move_whole, remove_results, save_arrays
from marsseg.training.inputs import Standardizer, Tiles
from marsseg.training.merging import Member, Rule, merge_networks, read_member
from marsseg.training.provenance import collect_provenance
from marsseg.training.reporting import HurriedError, StopFlag, StoreReporter, persist
from marsseg.training.signature import INPUT_NAME, export_metadata
from marsseg.wording import counted

BATCH = 16
MODEL = "model.onnx"
EvaluationStep = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, float]]
_SPLITS = ("train", "validation", "test")

logger = logging.getLogger(__name__)


class MemberError(MarsSegError):
    """A run cannot be a member of this combination."""


@dataclass(frozen=True, slots=True)
class Part:
    """A finished run: its network, and the rows of its split."""

    run: RunRecord
    network: Member
    rows: dict[str, np.ndarray]


class Combiner:
    """Does the work of one run that combines others.

    Args:
        beat: asks the store whether the run is still ours, before files are written.
    """

    def __init__(
        self,
        settings: Settings,
        store: RunStore,
        run: RunRecord,
        reporter: StoreReporter,
        *,
        stop: StopFlag,
        beat: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._run = run
        self._reporter = reporter
        self._stop = stop
        self._beat = beat
        self._folder = settings.run_dir(run.id)

    def combine(self) -> str:
        """Merge, evaluate, and then keep all of it at once; returns how it ended.

        Raises:
            MemberError: a member is gone, has not ended well, or learned from other tiles.
            HurriedError: someone asked to end, and nothing was kept.
        """
        parts = [self._read_part(member) for member in self._run.config.combine.members]
        splits = common_splits(parts)
        self._record(parts, splits)
        dataset, arrays = open_dataset(self._run, self._store, self._settings)
        self._enter(Phase.BUILDING)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget_earlier_launches()
        standardizer = Standardizer(parts[0].network.mean, parts[0].network.std)
        to_judge = {
            split: Tiles(arrays.images, arrays.masks, splits[split], standardizer)
            for split in SPLITS
            if split in splits
        }
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".combined.", suffix=".tmp") as aside:
            network = Path(aside, MODEL)
            self._merge(parts, network, dataset.meta.get("frame_size"))
            step = evaluation_step(network, self._run.threads)
            judged = {split: self._judge(split, tiles, step) for split, tiles in to_judge.items()}
            self._keep(network, splits, judged)
        note = "" if "validation" in judged else "; its members were validated on different tiles"
        return f"combined {counted(len(parts), 'run')}{note}"

    def _read_part(self, run_id: str) -> Part:
        run = self._store.find_by_id(run_id)
        if run is None:
            raise MemberError(f"run {run_id}, which is to be combined, is not in the lab any more")
        if not run.status.ended_well:
            raise MemberError(
                f"run {run.id} ({run.name}) is {run.status}; train it to its end, then resume this run"
            )
        folder = self._settings.run_dir(run.id)
        with np.load(folder / "split.npz", allow_pickle=False) as rows:
            return Part(run, read_member(folder / MODEL), {split: rows[split] for split in _SPLITS})

    def _record(self, parts: Sequence[Part], splits: dict[str, np.ndarray]) -> None:
        facts = {
            **collect_provenance(),
            "members": {part.run.id: part.run.fingerprint for part in parts},
            "tiles": {split: len(rows) for split, rows in splits.items()},
        }
        parameters = sum(part.run.parameters or 0 for part in parts)
        persist(
            lambda: self._store.record_facts(
                self._run.id, self._run.token or "", parameters=parameters, provenance=facts
            )
        )

    def _forget_earlier_launches(self) -> None:
        """Members may be others by now, and so is what they make together."""
        self._reporter.begins(0, "", best_epoch=0)
        remove_results(self._folder)

    def _merge(self, parts: Sequence[Part], path: Path, frame_size: list[int] | None) -> None:
        combine, first = self._run.config.combine, parts[0].network
        metadata = export_metadata(
            self._run.id,
            mean=first.mean,
            std=first.std,
            frame_size=frame_size,
            multiple=math.lcm(*(part.network.multiple for part in parts)),
        )
        networks = [part.network for part in parts]
        rule = cast(Rule, combine.rule)
        merge_networks(networks, path, metadata, rule=rule, flips=combine.flips)

    def _judge(self, split: str, tiles: Tiles, step: EvaluationStep) -> SplitPrediction:
        """Predict a split with the merged network."""
        logger.info("Evaluating on %d %s tiles.", len(tiles), split)
        return predict_split(step, tiles, BATCH, self._say)

    def _keep(
        self, network: Path, splits: dict[str, np.ndarray], judged: dict[Split, SplitPrediction]
    ) -> None:
        """Put network, rows, masks and confusion matrices in their places; from here on no stop is heeded."""
        self._enter(Phase.SAVING)
        save_arrays(self._folder / "split.npz", splits)
        move_whole(network, self._folder / MODEL)
        for split, prediction in judged.items():
            keep_prediction(prediction, split, self._folder / "predictions", self._reporter)

    def _enter(self, phase: Phase) -> None:
        self._reporter.progress(Progress(phase))
        self._beat()
        self._stop_if_asked()

    def _say(self, done: int, total: int) -> None:
        self._stop_if_asked()
        self._reporter.progress(Progress(Phase.EVALUATING, step=done, steps=total))

    def _stop_if_asked(self) -> None:
        """There is no half of a combination to keep, so any request ends it."""
        if self._stop.is_set():
            raise HurriedError


def common_splits(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """The rows of each part of the split that all members agree on.

    Raises:
        MemberError: one learned from tiles that another was tested on, or they come of different datasets.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.run.dataset_id != first.run.dataset_id:
            raise MemberError(
                f"run {part.run.id} learned from dataset {part.run.dataset_name!r}, run {first.run.id} from "
                f"{first.run.dataset_name!r}; combine runs of one dataset"
            )
        if not np.array_equal(part.rows["test"], first.rows["test"]):
            raise MemberError(
                f"runs {first.run.id} and {part.run.id} were tested on different tiles, so one may have "
                "learned from the other's; combine runs of one split"
            )
    same = {
        split: all(np.array_equal(part.rows[split], first.rows[split]) for part in parts) for split in _SPLITS
    }
    return {split: first.rows[split] for split in _SPLITS if same[split]}


def evaluation_step(model: Path, threads: int | None) -> EvaluationStep:
    """What `predict_split` asks for each batch, answered by an exported network.

    The loss is the mean negative log-likelihood of labelled pixels; 0 in a batch without any.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def evaluate(images: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        (logits,) = session.run(None, {INPUT_NAME: images})
        logits = np.asarray(logits)
        likelihood = np.take_along_axis(logits, masks[..., None].astype(np.int64), axis=-1)[..., 0]
        labelled = likelihood[masks > 0]
        loss = -float(labelled.mean()) if labelled.size else 0.0
        return decode(logits, "argmax"), decode(logits, "terrain_only"), loss

    return evaluate
