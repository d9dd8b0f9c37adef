"""The runs of a study to come, one line a configuration, and about how long they take together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.config import RunConfig
from marsseg.config.describe import FIELDS, differences, format_value
from marsseg.ui import formats, text
from marsseg.ui.study_setup import CHANGES, LADDER, TWO_STAGES
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import PlannedRun

_COLUMN = {CHANGES: "What changes", LADDER: "What it adds", TWO_STAGES: "What it does"}
_STAGES = (
    "learns to tell background from terrain",
    "learns the four terrain classes, and leaves background out",
    "takes how likely background is from the first, and shares out the rest as the second says",
)


def render_size(runs: int, seconds: float) -> None:
    """How many runs there will be, and how long they take one after the other."""
    st.subheader(f"{counted(runs, 'run')}, {formats.about(seconds)} one after the other")


def render_plan(plan: str, planned: Sequence[PlannedRun], note: str = "") -> None:
    """Draw the runs.

    Args:
        plan: which kind, as `study_setup` has them.
        note: what there is to know about what this plan can show.
    """
    by_name: dict[str, list[PlannedRun]] = {}
    for run in planned:
        by_name.setdefault(run.name, []).append(run)
    firsts = [runs[0].config for runs in by_name.values()]
    folds = firsts[0].data.folds
    if note:
        st.markdown(f":orange[:material/visibility_off: {text.markdown(note)}]")
    # A table, not a data frame: its words wrap where the window is narrow.
    st.table(
        {
            "Run": [text.markdown(name) for name in by_name],
            _COLUMN[plan]: [text.markdown(words) for words in _stories(plan, firsts)],
            "Seeds": [_seeds(runs) for runs in by_name.values()],
            **({"Folds": [str(folds)] * len(by_name)} if folds else {}),
        },
        hide_index=True,
    )
    if folds:
        st.caption(
            f"Each configuration runs on {folds} folds with every seed. On the leaderboard it is one row: "
            "on the validation split with the pooled out-of-fold score, on the test split with the mean."
        )


def _stories(plan: str, configs: Sequence[RunConfig]) -> list[str]:
    """What each configuration is there for."""
    baseline = configs[0]
    if plan == CHANGES:
        return [_changes(config, baseline) or "nothing: the baseline itself" for config in configs]
    if plan == LADDER:
        steps = [_changes(config, below) for below, config in itertools.pairwise(configs)]
        return ["the report's lowest row", *steps]
    return list(_STAGES)


def _seeds(runs: Sequence[PlannedRun]) -> str:
    return ", ".join(map(str, dict.fromkeys(run.config.train.seed for run in runs)))


def _changes(config: RunConfig, baseline: RunConfig) -> str:
    """What a person changed: what a toggle takes along, or brings at its usual value, goes without saying."""
    changed = [
        f"{FIELDS[path].ui.label}: {_step(theirs, ours)}"
        for path, (ours, theirs) in differences(config, baseline).items()
        if path != "train.seed" and ours is not None
        if theirs is not None or ours != FIELDS[path].info.default
    ]
    return "; ".join(changed)


def _step(before: Any, after: Any) -> str:
    """A value that meant nothing before has no past."""
    return format_value(after) if before is None else f"{format_value(before)} → {format_value(after)}"
