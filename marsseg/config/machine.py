"""What a configuration asks of the machine that is to run it."""

from __future__ import annotations

from marsseg.config.run import RunConfig
from marsseg.errors import ConfigError


def require_gpu(config: RunConfig, *, gpus: int) -> None:
    """Refuse what only a GPU can do where there is none.

    Args:
        gpus: how many the run could be given.

    Raises:
        ConfigError: it asks for mixed precision, and there is no GPU.
    """
    if config.train.mixed_precision and not gpus:
        problem = "Mixed precision works on a GPU only, and this machine shows none; switch it off."
        raise ConfigError({"train.mixed_precision": problem})
