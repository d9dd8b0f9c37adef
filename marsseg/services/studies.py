"""Studies: how long a plan takes, and queueing all of its runs together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from marsseg.config import RunConfig, describe
from marsseg.config.describe import UNCHANGED
from marsseg.errors import ConfigError
from marsseg.presets import get_preset
from marsseg.services.combining import prepare_combination
from marsseg.services.lab import DEMO_DATASET, Lab, wake
from marsseg.services.planning import STAGES, PlannedRun, plan_two_stages
from marsseg.services.previewing import preview
from marsseg.services.submitting import Wishes, prepare_run, require_possible, wished
from marsseg.store.records import NewRun, RunRecord, StudyRecord
from marsseg.store.texts import cut_name

_SAYS_LITTLE = {UNCHANGED, *STAGES}
"""Names that tell a run from others of its study, but not from those of another study."""


@dataclass(frozen=True, slots=True)
class TwoStages:
    """The runs of a two-stage approach, as they were queued.

    Args:
        background: learns what is background.
        terrain: learns the four terrain classes.
        combined: begins when both have ended.
    """

    background: RunRecord
    terrain: RunRecord
    combined: RunRecord


def plan_seconds(lab: Lab, planned: Sequence[PlannedRun]) -> float:
    """About how long a plan takes, one run after the other; repeats are looked at once.

    Runs that combine others are left out: they take seconds.

    Raises:
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split.
    """
    training = [run.config for run in planned if not run.combines]
    repeats = Counter(config.fingerprint("") for config in training)
    once = {config.fingerprint(""): config for config in training}
    version = lab.store.version()
    return sum(repeats[key] * _seconds(lab, config, version) for key, config in once.items())


@lru_cache(maxsize=512)
def _seconds(lab: Lab, config: RunConfig, version: int) -> float:  # noqa: ARG001
    """Once for each version of the store, since a page asks again for forty runs at every click."""
    return preview(lab, config).seconds_total


def submit_study(
    lab: Lab,
    name: str,
    baseline: RunConfig,
    planned: Sequence[PlannedRun],
    wishes: Wishes | None = None,
) -> tuple[StudyRecord, list[RunRecord]]:
    """Queue a plan as one study, all of it or, if any run is refused, nothing.

    Raises:
        ConfigError: the name is too long, or a wish cannot be.
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split.
    """
    title = name.strip() or "Ablation"
    require_possible(wishes)
    prepared = [prepare_run(lab, run.config, _name_in(title, run)) for run in planned]
    study = lab.store.add_study(title, baseline)
    queued: list[RunRecord] = []
    for run, ready in zip(planned, prepared, strict=True):
        members = [queued[place] for place in run.combines]
        new = wished(_combining(lab, ready, members) if members else ready, wishes)
        queued.append(lab.store.add_run(replace(new, study_id=study.id)))
    wake(lab)
    return study, queued


def submit_two_stages(
    lab: Lab, config: RunConfig, *, name: str = "", wishes: Wishes | None = None
) -> TwoStages:
    """Queue one run for background, one for the terrain classes, and a third that combines them, as a study.

    Raises:
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split.
        ConfigError: the name is too long, a wish cannot be, or `config` asks for folds.
    """
    if config.data.folds:
        raise ConfigError(
            {"data.folds": "means two stages for each fold: `study --two-stages --folds` trains them all."}
        )
    runs = submit_study(lab, name.strip() or "Two stages", config, plan_two_stages(config), wishes)[1]
    return TwoStages(*runs)


def _combining(lab: Lab, new: NewRun, members: Sequence[RunRecord]) -> NewRun:
    how = {
        "combine.rule": "two_stage",
        "combine.members": [member.id for member in members],
        "name": new.name,
    }
    return prepare_combination(lab, new.config.with_values(how), members)


def _name_in(study: str, run: PlannedRun) -> str:
    """A run's name among the runs of all studies, where "baseline" alone would say little."""
    return cut_name(f"{study} · {run.name}") if run.name in _SAYS_LITTLE else run.name


def demo_ablation() -> list[PlannedRun]:
    """Three small runs on the demo terrain: quick, with residual connections, and with both toggles."""
    baseline = demo_baseline()
    both = baseline.with_values({"model.residual": True, "model.squeeze_excite": True})
    variants = [baseline, baseline.with_values({"model.residual": True}), both]
    return [PlannedRun(describe(config, baseline), config) for config in variants]


def demo_baseline() -> RunConfig:
    """The `quick` preset on the demo dataset."""
    return get_preset("quick").config.with_values({"data.dataset": DEMO_DATASET})


def submit_demo_ablation(lab: Lab) -> list[RunRecord]:
    """Queue the demo ablation: a first result in a few minutes."""
    return submit_study(lab, "Demo ablation", demo_baseline(), demo_ablation())[1]
