"""Ablation studies: several runs that each change one thing in a baseline, on one split or on all folds."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from marsseg.config import RunConfig, describe
from marsseg.config.describe import UNCHANGED
from marsseg.errors import ConfigError, NotFoundError
from marsseg.presets import get_preset
from marsseg.services.lab import DEMO_DATASET, Lab
from marsseg.services.previewing import preview
from marsseg.services.submitting import prepare_run, queue_runs
from marsseg.store.records import RunRecord, StudyRecord
from marsseg.store.texts import cut_name


@dataclass(frozen=True, slots=True)
class Toggle:
    """One change to a baseline: a label, and values by dotted path of the configuration."""

    label: str
    values: tuple[tuple[str, Any], ...]

    def apply(self, config: RunConfig) -> RunConfig:
        """The baseline with this change."""
        return config.with_values(dict(self.values))


TOGGLES: tuple[Toggle, ...] = (
    Toggle("Squeeze-and-Excitation", (("model.squeeze_excite", True),)),
    Toggle("Residual connections", (("model.residual", True),)),
    Toggle("Skip gate: gated", (("model.skip_gate", "gated"),)),
    Toggle("Skip gate: attention", (("model.skip_gate", "attention"),)),
    Toggle("Skip gate: sigmoid only", (("model.skip_gate", "sigmoid_only"),)),
    Toggle("Leaky ReLU", (("model.activation", "leaky_relu"),)),
    Toggle("SiLU", (("model.activation", "silu"),)),
    Toggle("Group normalisation", (("model.normalization", "group"),)),
    Toggle("Dropout 0.2", (("model.dropout", 0.2),)),
    Toggle("Focal loss", (("loss.cross_entropy", 0.0), ("loss.focal", 1.0))),
    Toggle("Cross-entropy + Dice", (("loss.cross_entropy", 1.0), ("loss.dice", 1.0))),
    Toggle("Tversky loss", (("loss.cross_entropy", 0.0), ("loss.tversky", 1.0))),
    Toggle("Inverse-frequency weights", (("loss.class_weights.mode", "inverse_frequency"),)),
    Toggle("No left-right flip", (("data.flip_horizontal", False),)),
)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a plan, before it is queued."""

    name: str
    config: RunConfig


def plan_ablation(
    baseline: RunConfig, toggles: Sequence[Toggle], repeats: int = 1, folds: int | None = None
) -> list[PlannedRun]:
    """The baseline and each changed baseline, `repeats` times with consecutive seeds, on every fold.

    Toggles that the baseline has already are left out, since they would change nothing.

    Args:
        folds: divide the tiles outside the test part into this many folds, each of which validates once;
            0 for a single split; None for what the baseline says.

    Raises:
        ConfigError: a changed baseline cannot work, `repeats` is below 1, or `folds` is 1 or above 20.
    """
    if folds is not None:
        baseline = baseline.with_values({"data.folds": folds, "data.fold": 0})
    if repeats < 1:
        raise ConfigError({"repeats": f"must be at least 1; got {repeats}."})
    changed = [toggle.apply(baseline) for toggle in toggles]
    variants = [baseline, *(config for config in changed if config.effective() != baseline.effective())]
    seeds = range(baseline.train.seed, baseline.train.seed + repeats)
    each_fold = range(baseline.data.folds or 1)
    return [
        PlannedRun(
            cut_name(describe(config, baseline)),
            config.with_values({"train.seed": seed, "data.fold": fold, "name": ""}),
        )
        for seed, fold in itertools.product(seeds, each_fold)
        for config in variants
    ]


def find_toggle(label: str) -> Toggle:
    """The one change whose label begins so, whatever the case of its letters.

    Raises:
        NotFoundError: none does, or several do.
    """
    wanted = label.strip().casefold()
    exact = [toggle for toggle in TOGGLES if toggle.label.casefold() == wanted]
    found = exact or [toggle for toggle in TOGGLES if wanted and toggle.label.casefold().startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(toggle.label for toggle in found or TOGGLES)
        what = "Several changes begin with" if found else "There is no change"
        raise NotFoundError(f"{what} {label!r}; choose one of: {known}.")
    return found[0]


def plan_seconds(lab: Lab, planned: Sequence[PlannedRun]) -> float:
    """About how long a plan takes, one run after the other; repeats are looked at once.

    Raises:
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split.
    """
    repeats = Counter(run.config.fingerprint("") for run in planned)
    once = {run.config.fingerprint(""): run.config for run in planned}
    return sum(repeats[key] * preview(lab, config).seconds_total for key, config in once.items())


def submit_study(
    lab: Lab, name: str, baseline: RunConfig, planned: Sequence[PlannedRun]
) -> tuple[StudyRecord, list[RunRecord]]:
    """Queue a plan as one study, all of it or, if any run is refused, nothing.

    Raises:
        ConfigError: the name is too long.
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split.
    """
    title = name.strip() or "Ablation"
    prepared = [prepare_run(lab, run.config, _name_in(title, run)) for run in planned]
    study = lab.store.add_study(title, baseline)
    return study, queue_runs(lab, [replace(new, study_id=study.id) for new in prepared])


def _name_in(study: str, run: PlannedRun) -> str:
    """A run's name among the runs of all studies, where "baseline" alone would say little."""
    return cut_name(f"{study} · {run.name}") if run.name == UNCHANGED else run.name


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
