"""Use cases that put runs into the queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from marsseg.config import CombineConfig, RunConfig, describe
from marsseg.config.describe import UNCHANGED
from marsseg.config.machine import require_gpu
from marsseg.errors import ConfigError
from marsseg.execution.devices import list_gpus
from marsseg.services.lab import Lab, wake
from marsseg.services.splits import split_for
from marsseg.store.records import NewRun, RunRecord
from marsseg.store.texts import cut_name, require_wishes, tidy_notes, tidy_tags


@dataclass(frozen=True, slots=True)
class Wishes:
    """How runs are to be treated, apart from what they compute.

    Args:
        priority: higher starts first; 0 is usual.
        threads: CPU threads; None for a share of the cores.
        notes: what a person has to say.
        tags: words to find them by.
    """

    priority: int = 0
    threads: int | None = None
    notes: str = ""
    tags: tuple[str, ...] = ()


def submit(
    lab: Lab,
    config: RunConfig,
    *,
    name: str | None = None,
    baseline: RunConfig | None = None,
    baseline_name: str = "",
    wishes: Wishes | None = None,
) -> RunRecord:
    """Queue one run and make sure that a scheduler lives; returns at once.

    Args:
        name: what people call the run; by default the configuration's own name, or else what differs
            from `baseline` (default: the default configuration).
        baseline_name: what the baseline is called, and so is a run that does what the baseline does.

    Raises:
        ConfigError: the configuration asks for a GPU, and there is none; or it combines runs instead of
            training one.
        NotFoundError: the configuration names no known dataset.
        DatasetError: the dataset is gone from disk, or too small for the split.
    """
    require_training(config)
    config = _with_typed_name(config, name)
    called = run_name(config, baseline=baseline, baseline_name=baseline_name)
    return queue_runs(lab, [wished(prepare_run(lab, config, called), wishes)])[0]


def submit_repeats(
    lab: Lab,
    config: RunConfig,
    seeds: Iterable[int],
    *,
    name: str | None = None,
    baseline: RunConfig | None = None,
    baseline_name: str = "",
    wishes: Wishes | None = None,
) -> list[RunRecord]:
    """Queue the same configuration once per seed, named as by `submit`; all of them or none."""
    require_training(config)
    config = _with_typed_name(config, name)
    called = run_name(config, baseline=baseline, baseline_name=baseline_name)
    configs = [config.with_values({"train.seed": seed}) for seed in seeds]
    return queue_runs(lab, [wished(prepare_run(lab, each, called), wishes) for each in configs])


def queue_runs(lab: Lab, prepared: Iterable[NewRun]) -> list[RunRecord]:
    """Queue runs that were checked before, and make sure that a scheduler lives."""
    runs = [lab.store.add_run(new) for new in prepared]
    wake(lab)
    return runs


def prepare_run(lab: Lab, config: RunConfig, name: str) -> NewRun:
    """Check that a run can work on this machine with its dataset as it is now, and fix what it leaves out.

    Raises:
        ConfigError: it asks for a GPU, and there is none.
        NotFoundError: the configuration names no known dataset.
        DatasetError: the dataset is gone from disk, or too small for the split.
    """
    if not config.combine.is_on:
        require_gpu(config, gpus=len(list_gpus()))
    dataset = lab.store.get_dataset(config.data.dataset)
    config = config.with_values({"data.dataset": dataset.name})
    split_for(lab, config)
    return NewRun(
        config=config,
        name=name,
        fingerprint=config.fingerprint(dataset.identity),
        dataset_id=dataset.id,
        dropped_rows=dataset.dropped_rows,
    )


def require_training(config: RunConfig) -> None:
    """Refuse what says anything of combining runs, which a run that trains would pass over.

    Raises:
        ConfigError: a field of `combine` is not at its default.
    """
    usual, given = CombineConfig().model_dump(), config.combine.model_dump()
    sentence = (
        "runs are not combined by training; use `python -m marsseg combine`, or choose them on the Runs page."
    )
    if said := next((field for field in usual if given[field] != usual[field]), None):
        raise ConfigError({f"combine.{said}": sentence})


def wished(new: NewRun, wishes: Wishes | None) -> NewRun:
    """The run, treated as wished."""
    return new if wishes is None else replace(new, **asdict(wishes))


def require_possible(wishes: Wishes | None) -> None:
    """Refuse wishes that the store would refuse, before anything is entered that would stay behind.

    Raises:
        ConfigError: priority, threads, notes or tags cannot be.
    """
    if wishes is not None:
        require_wishes(wishes.priority, wishes.threads)
        tidy_notes(wishes.notes)
        tidy_tags(wishes.tags)


def _with_typed_name(config: RunConfig, name: str | None) -> RunConfig:
    """The configuration under the name that a person typed, which boards show too."""
    return config.with_values({"name": name.strip()}) if name and name.strip() else config


def run_name(config: RunConfig, *, baseline: RunConfig | None = None, baseline_name: str = "") -> str:
    """The configuration's own name, or what differs from the baseline, or the baseline's name."""
    if typed := config.name.strip():
        return typed
    description = describe(config, baseline or RunConfig())
    if description == UNCHANGED and baseline_name.strip():
        description = baseline_name.strip()
    return cut_name(description)
