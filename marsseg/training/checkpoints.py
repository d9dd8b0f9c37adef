"""What exact resume needs, in one file an epoch, and the best weights beside it."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marsseg.errors import MarsSegError
from marsseg.training.files import move_whole, write_whole
from marsseg.training.optimizer import Watch

if TYPE_CHECKING:
    import keras

KEPT = 2
STATE_KEY = "state"

logger = logging.getLogger(__name__)


class CheckpointError(MarsSegError):
    """A checkpoint cannot continue this run."""


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where training stands after an epoch, apart from the variables.

    Args:
        epoch: the last finished epoch; 0 before the first.
        watch: what plateau rule and early stopping remember.
        train_seconds: time spent on all finished epochs, over all launches.
    """

    epoch: int
    watch: Watch
    train_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint read back: the state and the values of all variables, in their order."""

    state: TrainingState
    model: list[np.ndarray]
    optimizer: list[np.ndarray]


class Checkpoints:
    """The checkpoints of one run, in `folder`; the last two are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: TrainingState, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Path:
        """Write `epoch-0007.npz`, whole or not at all, and remove all but the last two.

        `model.variables` holds the weights, the statistics of batch normalisation and the state of every
        dropout layer's seed generator; Keras' own weight files leave the last out.
        """
        arrays = _named("model", model.variables) | _named("optimizer", optimizer.variables)
        arrays[STATE_KEY] = np.array(_encode(state))
        path = self.folder / f"epoch-{state.epoch:04d}.npz"
        write_whole(path, lambda file: np.savez(file, **arrays))
        for old in self.paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def find_latest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole; None when there is none."""
        for path in reversed(self.paths()):
            try:
                return _read(path)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                logger.warning("Checkpoint %s cannot be read (%s); trying the one before.", path.name, error)
        return None

    def paths(self) -> list[Path]:
        """All checkpoint files, oldest first."""
        return sorted(self.folder.glob("epoch-*.npz"), key=lambda path: (len(path.name), path.name))

    def clean(self) -> None:
        """Remove what an interrupted write left behind."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def restore(
    checkpoint: Checkpoint, model: keras.Model, optimizer: keras.optimizers.Optimizer
) -> TrainingState:
    """Put every variable back to its value in the checkpoint.

    Raises:
        CheckpointError: the checkpoint belongs to another network.
    """
    _assign(model.variables, checkpoint.model)
    _assign(optimizer.variables, checkpoint.optimizer)
    return checkpoint.state


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a functional model's weights, without its optimizer's, as `*.weights.h5`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp.{path.name}")
    try:
        _bare(model).save_weights(temporary)
        move_whole(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Give a functional model the weights of a `*.weights.h5` file."""
    _bare(model).load_weights(path)


def _bare(model: keras.Model) -> keras.Model:
    """The same layers as a model that was never compiled: Keras would save the optimizer's slots as well."""
    return type(model)(model.inputs, model.outputs)


def _named(prefix: str, variables: Sequence[Any]) -> dict[str, Any]:
    return {f"{prefix}/{index:05d}": variable.numpy() for index, variable in enumerate(variables)}


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as arrays:
        names = sorted(arrays.files)
        return Checkpoint(
            _decode(str(arrays[STATE_KEY])),
            [arrays[name] for name in names if name.startswith("model/")],
            [arrays[name] for name in names if name.startswith("optimizer/")],
        )


def _assign(variables: Sequence[Any], values: list[np.ndarray]) -> None:
    wanted = [tuple(variable.shape) for variable in variables]
    found = [value.shape for value in values]
    if wanted != found:
        raise CheckpointError(
            f"The checkpoint does not fit this network: it holds {len(found)} arrays where "
            f"{len(wanted)} of other shapes are needed. Start a new run instead of resuming this one."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _encode(state: TrainingState) -> str:
    return json.dumps(
        {"epoch": state.epoch, "train_seconds": state.train_seconds, "watch": state.watch.to_dict()}
    )


def _decode(text: str) -> TrainingState:
    fields = json.loads(text)
    return TrainingState(fields["epoch"], Watch(**fields["watch"]), fields["train_seconds"])
