"""What a machine has for training: CPU threads and GPUs, and how many runs may share them.

GPUs are asked of the driver itself through NVML: TensorFlow would take seconds, and memory on each of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from marsseg.settings import Settings, usable_cores

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU that runs may be given.

    Args:
        id: what `CUDA_VISIBLE_DEVICES` calls it: its UUID, which no reordering changes.
        name: its model.
        memory_bytes: all of its memory.
    """

    id: str
    name: str
    memory_bytes: int


@cache
def list_gpus() -> tuple[Gpu, ...]:
    """The GPUs of this machine that the environment lets us use; empty without a driver."""
    return visible_gpus(_ask_driver(), os.environ)


def visible_gpus(gpus: tuple[Gpu, ...], environ: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Those of `gpus`, in the driver's order, that `CUDA_VISIBLE_DEVICES` names by number or id.

    As in CUDA itself, a name that fits no GPU or several ends the list, one GPU named twice hides all, and
    a variable that is set but empty names none.
    """
    text = environ.get(VISIBLE_DEVICES)
    if text is None:
        return gpus
    by_name = {str(number): gpu for number, gpu in enumerate(gpus)}
    chosen: list[Gpu] = []
    for word in map(str.strip, text.split(",")):
        fitting = [by_name[word]] if word in by_name else [g for g in gpus if g.id.startswith(word)]
        if not word or len(fitting) != 1:
            break
        chosen += fitting
    return tuple(chosen) if len(set(chosen)) == len(chosen) else ()


def slot_count(settings: Settings, gpus: Sequence[Gpu] | None = None) -> int:
    """How many runs may train at once: as the settings say, or else one a GPU, or one without any.

    Args:
        gpus: what there is; those of this machine by default.
    """
    return settings.slots or max(1, len(list_gpus() if gpus is None else gpus))


def threads_per_run(settings: Settings, gpus: Sequence[Gpu] | None = None) -> int:
    """The CPU threads of one run: the cores divided between the slots, at least one."""
    return threads_of_each(slot_count(settings, gpus))


def threads_of_each(slots: int) -> int:
    """The cores divided between so many runs, at least one for each."""
    return max(1, usable_cores() // slots)


def _ask_driver() -> tuple[Gpu, ...]:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver, so no GPU
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(
                id=pynvml.nvmlDeviceGetUUID(handle),
                name=pynvml.nvmlDeviceGetName(handle),
                memory_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
            for handle in handles
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
