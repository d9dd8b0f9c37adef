"""What this machine gives one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marsseg.config.machine import find_gpu_problems
from marsseg.execution.control import slots_in_use
from marsseg.execution.devices import Gpu, list_gpus, threads_of_each
from marsseg.services.lab import Lab
from marsseg.settings import usable_cores


@dataclass(frozen=True, slots=True)
class RunShare:
    """A run's share of the machine.

    Args:
        slots: how many runs may train at once.
        cores: CPU cores of all of them together.
        threads: CPU threads of each.
        gpus: the GPUs that they are spread over.
    """

    slots: int
    cores: int
    threads: int
    gpus: tuple[Gpu, ...]


def run_share(lab: Lab) -> RunShare:
    """Look at slots, cores and GPUs as a run that starts now would find them."""
    slots = slots_in_use(lab.settings, lab.store)
    return RunShare(slots=slots, cores=usable_cores(), threads=threads_of_each(slots), gpus=list_gpus())


def problems_here(values: Mapping[str, Any]) -> dict[str, str]:
    """What this machine cannot do of a configuration, given by dotted path: a sentence a field."""
    return find_gpu_problems(values, gpus=len(list_gpus()))
