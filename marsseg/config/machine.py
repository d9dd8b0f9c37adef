"""What a configuration asks of the machine that is to run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marsseg.config.run import RunConfig
from marsseg.errors import ConfigError


def find_gpu_problems(values: Mapping[str, Any], *, gpus: int) -> dict[str, str]:
    """What only a GPU can do where there is none: a sentence each, by dotted path.

    Args:
        values: of a configuration by dotted path, be it one that can work or not.
        gpus: how many the run could be given.
    """
    if values.get("train.mixed_precision") and not gpus:
        return {"train.mixed_precision": "works on a GPU only, and this machine shows none; switch it off."}
    return {}


def require_gpu(config: RunConfig, *, gpus: int) -> None:
    """Refuse what only a GPU can do where there is none.

    Args:
        gpus: how many the run could be given.

    Raises:
        ConfigError: it asks for mixed precision, and there is no GPU.
    """
    if problems := find_gpu_problems(config.flat(), gpus=gpus):
        raise ConfigError(problems)
