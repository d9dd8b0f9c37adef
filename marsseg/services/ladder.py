"""Which presets runs come from, and what was changed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from marsseg.config import RunConfig
from marsseg.config.describe import differences
from marsseg.config.run import REPEAT_FIELDS
from marsseg.presets import LADDER, PRESETS, Preset

_NOT_A_CHANGE = REPEAT_FIELDS | {"data.dataset"}


@dataclass(frozen=True, slots=True)
class Rungs:
    """Configurations recognised as rows of the report's ladder.

    Args:
        presets: one for each configuration, in their order.
        shared: values by path that replace those of the presets in every row.
    """

    presets: tuple[Preset, ...]
    shared: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The preset that a configuration is most like.

    Args:
        changes: values that have another effect than the preset's, by path: (here, there); None where a field
            has no say. Dataset, seed, fold and name are no changes.
    """

    preset: Preset
    changes: Mapping[str, tuple[Any, Any]]


@lru_cache(maxsize=64)
def nearest_preset(config: RunConfig) -> Origin:
    """The preset from which the fewest fields differ; of several, the one of defaults, else the first."""
    origins = [Origin(preset, _effects(config, preset.config)) for preset in PRESETS.values()]
    return min(origins, key=lambda origin: (len(origin.changes), origin.preset.key != "default"))


def _effects(config: RunConfig, start: RunConfig) -> dict[str, tuple[Any, Any]]:
    found = differences(config, start)
    return {path: values for path, values in found.items() if path not in _NOT_A_CHANGE}


def find_rungs(configs: Sequence[RunConfig]) -> Rungs | None:
    """The rows of the ladder that these are, at a budget that all share; None if they are anything else."""
    presets = tuple(min(LADDER, key=lambda preset: len(changes(config, preset.config))) for config in configs)
    shared: dict[str, Any] = {}
    for config, preset in zip(configs, presets, strict=True):
        shared |= changes(config, preset.config)
    pairs = zip(configs, presets, strict=True)
    fits = all(is_with(config, preset.config, shared) for config, preset in pairs)
    is_ladder = fits and len({preset.key for preset in presets}) == len(configs) > 1
    return Rungs(presets, shared) if is_ladder else None


def is_with(config: RunConfig, start: RunConfig, shared: Mapping[str, Any]) -> bool:
    """Whether a configuration is another with these values in place of its own."""
    wanted, ours = {**start.flat(), **shared}, config.flat()
    return all(ours[path] == value for path, value in wanted.items() if path not in _NOT_A_CHANGE)


def changes(config: RunConfig, start: RunConfig) -> dict[str, Any]:
    """Values that are not as `start` has them, by path; dataset, seed, fold and name are no changes."""
    before = start.flat()
    return {
        path: value
        for path, value in config.flat().items()
        if path not in _NOT_A_CHANGE and value != before[path]
    }
