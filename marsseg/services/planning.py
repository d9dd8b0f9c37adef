"""Plans of studies, before anything is queued: single changes, the report's ladder, two stages."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from marsseg.config import RunConfig, describe
from marsseg.config.run import MAX_REPEATS
from marsseg.errors import ConfigError
from marsseg.presets import LADDER
from marsseg.services.ladder import changes
from marsseg.services.submitting import require_training
from marsseg.services.toggles import Toggle
from marsseg.store.texts import cut_name

STAGES = ("background", "terrain", "combined")
"""The runs of a two-stage approach, in the order in which they are planned."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a plan, before it is queued.

    Args:
        combines: places in the plan of the runs that it combines; empty for a run that trains.
    """

    name: str
    config: RunConfig
    combines: tuple[int, ...] = ()


def plan_ablation(baseline: RunConfig, toggles: Sequence[Toggle], repeats: int = 1) -> list[PlannedRun]:
    """The baseline and each changed baseline, `repeats` times with consecutive seeds, on every fold there is.

    Toggles that the baseline has already are left out, since they would change nothing, and what two of
    them come to alike is tried once.

    Raises:
        ConfigError: a changed baseline cannot work, `repeats` is below 1 or above 10, or the baseline says
            anything of combining runs.
    """
    variants: dict[str, RunConfig] = {}
    for config in (baseline, *(toggle.apply(baseline) for toggle in toggles)):
        variants.setdefault(config.fingerprint(""), config)
    unnamed = [config.with_values({"name": ""}) for config in variants.values()]
    return _repeated([(cut_name(describe(config, baseline)), config) for config in unnamed], repeats)


def plan_ladder(adapt: Callable[[RunConfig], RunConfig], repeats: int = 1) -> list[PlannedRun]:
    """The report's rows from the lowest up, `repeats` times with consecutive seeds.

    Folds, where the rows have them, are all run.

    Args:
        adapt: gives every row the dataset and the budget that all share.

    Raises:
        ConfigError: an adapted row cannot work or has another value for what a row adds, or `repeats` is
            below 1 or above 10.
    """
    rows = [(preset.title, adapt(preset.config)) for preset in LADDER]
    _require_rungs([config for _, config in rows])
    return _repeated([(title, config.with_values({"name": title})) for title, config in rows], repeats)


def _require_rungs(rows: Sequence[RunConfig]) -> None:
    """Refuse a ladder in which any row has another value for what some row adds, so that titles stay true."""
    rungs: dict[str, str] = {}
    for below, above in itertools.pairwise(LADDER):
        rungs |= {path: above.title for path in changes(above.config, below.config) if path not in rungs}
    problems = {
        path: f"is what “{rungs[path]}” changes, so rows would not add what their names say; set what all "
        "rows share, as the budget."
        for row, preset in zip(rows, LADDER, strict=True)
        for path in changes(row, preset.config)
        if path in rungs
    }
    if problems:
        raise ConfigError(problems)


def plan_two_stages(config: RunConfig, repeats: int = 1) -> list[PlannedRun]:
    """For each seed and fold one run for background, one for the terrain classes, and one that combines both.

    Both stages train the network that `config` describes. The first weighs background like terrain, since
    with a weight of 0 it would have nothing to learn.

    Raises:
        ConfigError: `repeats` is below 1 or above 10, or `config` has another target than usual.
    """
    if config.data.target != RunConfig().data.target:
        raise ConfigError(
            {"data.target": "each of the two stages has its own; leave it out, or train one run with it."}
        )
    planned: list[PlannedRun] = []
    for seed, fold in _places(config, repeats):
        seeded = config.with_values({"train.seed": seed, "data.fold": fold})
        first = len(planned)
        stages = (first_stage(seeded), second_stage(seeded))
        planned += [PlannedRun(name, stage) for name, stage in zip(STAGES, stages, strict=False)]
        planned.append(PlannedRun(STAGES[-1], stages[-1], combines=(first, first + 1)))
    return planned


def first_stage(config: RunConfig) -> RunConfig:
    """The configuration that tells background from terrain."""
    weights = config.loss.class_weights
    manual = (weights.manual[0] or 1.0, *weights.manual[1:])
    return config.with_values(
        {
            "name": "",
            "data.target": "background",
            "loss.class_weights.background": weights.background or 1.0,
            "loss.class_weights.manual": manual,
        }
    )


def weighs_background_once(config: RunConfig) -> str:
    """The sentence for a weight of background that two stages use only in the first; else empty."""
    weights = config.loss.class_weights
    if not weights.background_counts:
        return ""
    weight = weights.manual[0] if weights.mode == "manual" else weights.background
    return f"Background weighs {weight:g} in the first stage alone; the second leaves it out of the loss."


def second_stage(config: RunConfig) -> RunConfig:
    """The configuration that tells the terrain classes apart, and leaves background out of the loss."""
    manual = (0.0, *config.loss.class_weights.manual[1:])
    return config.with_values(
        {
            "name": "",
            "data.target": "terrain",
            "loss.class_weights.background": 0.0,
            "loss.class_weights.manual": manual,
        }
    )


def _repeated(variants: Sequence[tuple[str, RunConfig]], repeats: int) -> list[PlannedRun]:
    """Each seed and fold through all variants before the next, so that a plan cut short compares them all."""
    return [
        PlannedRun(name, config.with_values({"train.seed": seed, "data.fold": fold}))
        for seed, fold in _places(variants[0][1], repeats)
        for name, config in variants
    ]


def _places(config: RunConfig, repeats: int) -> Iterator[tuple[int, int]]:
    """Every seed with every fold."""
    require_training(config)
    if repeats < 1:
        raise ConfigError({"repeats": f"must be at least 1; got {repeats}."})
    if repeats > MAX_REPEATS:
        raise ConfigError({"repeats": f"must be at most {MAX_REPEATS}; got {repeats}."})
    seeds = range(config.train.seed, config.train.seed + repeats)
    return itertools.product(seeds, range(config.data.folds or 1))
