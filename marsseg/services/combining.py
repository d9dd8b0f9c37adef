"""The use case that combines runs: the mean of several, mirror images at inference, two stages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from marsseg.config import CombineConfig, RunConfig
from marsseg.errors import ConfigError, StateError
from marsseg.services.comparing import find_copies
from marsseg.services.handling import clone_config
from marsseg.services.lab import Lab
from marsseg.services.runs import get_run, model_path, no_network
from marsseg.services.splits import split_of
from marsseg.services.submitting import Wishes, prepare_run, queue_runs, wished
from marsseg.store.records import NewRun, RunRecord, RunStatus, tiles_identity
from marsseg.store.texts import cut_name

_GONE_WRONG = {RunStatus.FAILED, RunStatus.LOST}


def combine(
    lab: Lab,
    run_ids: Sequence[str],
    *,
    rule: str = "mean",
    flips: bool = False,
    name: str = "",
    wishes: Wishes | None = None,
) -> RunRecord:
    """Queue a run that combines others; it begins when all of them have ended.

    Args:
        run_ids: its members; for two stages, background first.
        rule: "mean" or "two_stage", see `CombineConfig`.
        flips: average over the image and its mirror image, too.
        name: what people call it; by default what it is made of.

    Raises:
        NotFoundError: no run goes by one of the ids.
        StateError: a run has no network to combine, or they were tested on different tiles.
        ConfigError: the rule needs other members, or one is a copy of another.
    """
    members = [get_run(lab, run_id) for run_id in run_ids]
    how = {
        "combine.rule": rule,
        "combine.members": [member.id for member in members],
        "combine.flips": flips,
        "name": name.strip(),
    }
    config = (clone_config(lab, members[-1].id) if members else RunConfig()).with_values(how)
    for member in members:
        _require_network(lab, member)
    _require_no_copies(lab, members)
    _require_common_test(lab, members)
    _require_fitting_targets(members, rule)
    new = prepare_combination(lab, config, members)
    return queue_runs(lab, [wished(new, wishes)])[0]


def prepare_combination(lab: Lab, config: RunConfig, members: Sequence[RunRecord]) -> NewRun:
    """What is queued for a configuration that says how to combine these runs; it waits for them.

    Raises:
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split.
    """
    combination = config.combine
    called = config.name or combined_name(members, combination.rule, flips=combination.flips)
    new = prepare_run(lab, config, cut_name(called))
    identity = tiles_identity(lab.store.get_dataset(new.dataset_id).sha256, members[0].dropped_rows)
    return replace(
        new,
        fingerprint=combined_fingerprint(combination, identity, members),
        dropped_rows=members[0].dropped_rows,
        needs=tuple(member.id for member in members if not member.status.is_finished),
    )


def combined_name(members: Sequence[RunRecord], rule: str, *, flips: bool) -> str:
    """What a combination is called: "mean of 3: +SE", "baseline, flipped", "two stages: A, B"."""
    names = list(dict.fromkeys(member.name for member in members))
    if rule == "two_stage":
        text = f"two stages: {', '.join(names)}"
    elif len(members) == 1:
        return f"{names[0]}, flipped"
    else:
        text = f"mean of {len(members)}: {', '.join(names)}"
    return f"{text}, flipped" if flips else text


def combined_fingerprint(combination: CombineConfig, identity: str, members: Sequence[RunRecord]) -> str:
    """Sixteen hex digits that combinations of repeats share, whatever ids their members have.

    Args:
        identity: of the tiles, see `tiles_identity`.
    """
    parts = [member.fingerprint for member in members]
    if combination.rule == "mean":
        parts.sort()
    text = json.dumps([combination.rule, combination.flips, identity, parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shared_values(members: Sequence[RunConfig]) -> dict[str, Any]:
    """The effective values on which all configurations agree, by dotted path."""
    first, *others = (config.effective() for config in members)
    return {
        path: value
        for path, value in first.items()
        if all(path in other and other[path] == value for other in others)
    }


def _require_network(lab: Lab, run: RunRecord) -> None:
    if run.status in _GONE_WRONG or (run.status.ended_well and not model_path(lab, run.id).is_file()):
        raise StateError(no_network(run, "Choose runs that have ended well, or will."))


def _require_no_copies(lab: Lab, members: Sequence[RunRecord]) -> None:
    """Refuse a run whose numbers another member repeats to the last digit: their mean is that run."""
    if copies := find_copies(members, lab.store.find_by_id):
        first, second = (run.id for run in copies)
        raise ConfigError(
            {
                "combine.members": f"Run {second} is a copy of run {first}: the same configuration, seed and "
                "fold, with deterministic kernels. A run cannot be combined with itself; name one of the two."
            }
        )


def _require_common_test(lab: Lab, members: Sequence[RunRecord]) -> None:
    """Refuse members of which one may have learned from what another is tested on."""
    first = members[0]
    for other in members[1:]:
        if (other.dataset_id, other.dropped_rows) != (first.dataset_id, first.dropped_rows):
            raise StateError(
                f"Runs {first.id} and {other.id} learned from different tiles; combine runs of one dataset."
            )
        ours, theirs = (split_of(lab, clone_config(lab, member.id).data).test for member in (first, other))
        if not np.array_equal(ours, theirs):
            raise StateError(
                f"Runs {first.id} and {other.id} are tested on different tiles, so one may have learned from "
                "the other's; combine runs of one split."
            )


def _require_fitting_targets(members: Sequence[RunRecord], rule: str) -> None:
    """Refuse a network that tells background from the rest where terrain classes are asked for."""
    stages = [member for member in members if not member.config.data.tells_terrain]
    if rule == "two_stage" and members[-1] in stages:
        raise StateError(
            f"Run {members[-1].id} ({members[-1].name}) only tells background from terrain; the second of "
            "two stages tells terrain classes apart. Give the background stage first."
        )
    if rule == "mean" and stages and len(stages) < len(members):
        raise StateError(
            f"Run {stages[0].id} ({stages[0].name}) only tells background from terrain, others tell terrain "
            "classes apart; their probabilities have no mean. Combine them as two stages."
        )
