"""The best weights as Keras itself reads them: `best.weights.h5`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from marsseg.training.checkpoints import UnreadableError
from marsseg.training.files import move_whole, reserve, saying_what_was_needed

if TYPE_CHECKING:
    import keras

_BYTES_A_VARIABLE = 2048
"""What HDF5 adds to the numbers, with room to spare."""


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a functional model's weights, without its optimizer's, as `*.weights.h5`, whole or not at all.

    Raises:
        DiskFullError: the file does not fit on its disk. This is found out before HDF5 opens it: one that it
            cannot complete brings down the process, at its end if not sooner.
    """
    size = sum(weight.numpy().nbytes + _BYTES_A_VARIABLE for weight in model.weights)
    temporary = path.with_name(f".tmp.{path.name}")
    with saying_what_was_needed(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            reserve(path, size)
            _bare(model).save_weights(temporary)
            move_whole(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Give a functional model the weights of a `*.weights.h5` file.

    Raises:
        UnreadableError: it is gone, damaged, or of another network.
    """
    try:
        _bare(model).load_weights(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UnreadableError(f"{path.name} cannot be read ({error})") from error


def _bare(model: keras.Model) -> keras.Model:
    """The same layers as a model that was never compiled: Keras would save the optimizer's slots as well."""
    return type(model)(model.inputs, model.outputs)
