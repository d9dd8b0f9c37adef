"""What exact resume needs: one file an epoch, and which of those that the store names can be read."""

from __future__ import annotations

import errno
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marsseg.errors import MarsSegError
from marsseg.training.files import save_arrays
from marsseg.training.optimizer import Watch

if TYPE_CHECKING:
    import keras

KEPT = 2
STATE_KEY = "state"

_DAMAGE = (
    *(ValueError, KeyError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What NumPy, zipfile and JSON raise on files that were cut short or changed."""
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Nothing will be read at that place however often one tries."""
_DAMAGE_TOLD_BY_THE_SYSTEM = {None, errno.EINVAL}
"""Numbers of OSErrors about the content: an archive that was changed names places before its beginning."""


class CheckpointError(MarsSegError):
    """A checkpoint cannot continue this run."""


class UnreadableError(CheckpointError):
    """A file that should hold weights is gone, cut short or changed."""


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
    """The checkpoints of one run, in `folder`: of the last two epochs, and of the best one as of either.

    So a run whose newest file is damaged goes on from the one before as it would have gone on then.
    A file counts once it is recorded. Until then nothing else is removed, and afterwards only what was
    recorded before or by this launch: one that has lost the run harms nothing.

    Args:
        launch: text in the names of new files that no other launch of the run uses.
        recorded: epochs and names of their files, as the store has them; most of the files are gone.
    """

    def __init__(
        self, folder: Path, *, launch: str = "", recorded: Iterable[tuple[int, str | None]] = ()
    ) -> None:
        self.folder = folder
        self._suffix = f"-{launch}" if launch else ""
        self._recorded = {epoch: name or "" for epoch, name in recorded}
        self._best_before = 0

    def save(self, state: TrainingState, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> str:
        """Write the file of an epoch, whole or not at all; returns its name, which is then to be recorded.

        `model.variables` holds the weights, the statistics of batch normalisation and the state of every
        dropout layer's seed generator; Keras' own weight files leave the last out.

        Raises:
            DiskFullError: it does not fit on its disk.
        """
        arrays = _named("model", model.variables) | _named("optimizer", optimizer.variables)
        arrays[STATE_KEY] = np.array(_encode(state, len(arrays)))
        name = _file_name(state.epoch, self._suffix)
        save_arrays(self.folder / name, arrays)
        return name

    def accept(self, state: TrainingState, name: str) -> None:
        """Count a file that was recorded, and remove those that are no longer needed."""
        self._recorded[state.epoch] = name
        needed = {*sorted(self._recorded)[-KEPT:], state.watch.best_epoch, self._best_before}
        self._best_before = state.watch.best_epoch
        for epoch in self._recorded.keys() - needed:
            self.discard(self._recorded.pop(epoch))

    def discard(self, name: str) -> None:
        """Remove a file that counts no more, or never did."""
        if name:
            _remove(self.folder / name)

    def go_on_after(self, epoch: int, best_epoch: int = 0) -> None:
        """Forget the files of later epochs, and remove all that no epoch needs, unfinished ones too.

        Args:
            epoch: the last one that is not trained again; 0 to begin anew.
            best_epoch: the best one by then.
        """
        self._best_before = best_epoch
        self._recorded = {number: name for number, name in self._recorded.items() if number <= epoch}
        names = set(self._recorded.values())
        for path in (*self.folder.glob("epoch-*.npz"), *self.folder.glob(".*.tmp")):
            if path.name not in names:
                _remove(path)

    def epochs(self) -> list[int]:
        """The recorded epochs, newest first."""
        return sorted(self._recorded, reverse=True)

    def is_unsigned(self, epoch: int) -> bool:
        """Whether the file of an epoch has no launch in its name, as those of earlier versions have not."""
        return self._recorded.get(epoch) == _file_name(epoch)

    def read(self, epoch: int) -> Checkpoint:
        """Read the file of a recorded epoch, checksums and all.

        Raises:
            UnreadableError: it is gone, cut short or changed, or there was none.
            CheckpointError: the disk does not give it now; it may be whole.
        """
        name = self._recorded.get(epoch)
        if not name:
            raise UnreadableError(f"Epoch {epoch} has no checkpoint")
        try:
            return _read(self.folder / name)
        except _GONE as error:
            raise UnreadableError(f"Checkpoint {name} is gone") from error
        except OSError as error:
            if error.errno in _DAMAGE_TOLD_BY_THE_SYSTEM:
                raise _unreadable(name, error) from error
            raise CheckpointError(
                f"Checkpoint {name} cannot be read now ({error.strerror}), though it may be whole; nothing "
                "was removed. Resume the run when its disk is back."
            ) from error
        except _DAMAGE as error:
            raise _unreadable(name, error) from error


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


def _unreadable(name: str, error: Exception) -> UnreadableError:
    why = " ".join(str(error).split()) or type(error).__name__
    return UnreadableError(f"Checkpoint {name} cannot be read ({why})")


def _remove(path: Path) -> None:
    """Remove a file; a folder of its name is not ours, and in nobody's way."""
    if not path.is_dir():
        path.unlink(missing_ok=True)


def _file_name(epoch: int, suffix: str = "") -> str:
    return f"epoch-{epoch:04d}{suffix}.npz"


def _named(prefix: str, variables: Sequence[Any]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{index:05d}": variable.numpy() for index, variable in enumerate(variables)}


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as arrays:
        names = sorted(arrays.files)
        model = [arrays[name] for name in names if name.startswith("model/")]
        optimizer = [arrays[name] for name in names if name.startswith("optimizer/")]
        return Checkpoint(_decode(str(arrays[STATE_KEY]), len(model + optimizer)), model, optimizer)


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


def _encode(state: TrainingState, arrays: int) -> str:
    """The state as text, and how many arrays belong to it: no checksum tells that one is gone."""
    return json.dumps(
        {
            "epoch": state.epoch,
            "train_seconds": state.train_seconds,
            "watch": state.watch.to_dict(),
            "arrays": arrays,
        }
    )


def _decode(text: str, arrays: int) -> TrainingState:
    fields = json.loads(text)
    if fields.get("arrays", arrays) != arrays:  # earlier versions did not count them
        raise ValueError(f"it holds {arrays} of {fields['arrays']} arrays")
    return TrainingState(fields["epoch"], Watch(**fields["watch"]), fields["train_seconds"])
