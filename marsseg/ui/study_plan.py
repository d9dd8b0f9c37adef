"""Choose a baseline and what to change in it; see the runs that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.config import RunConfig
from marsseg.config.describe import FIELDS, differences, format_value
from marsseg.ui import formats, keys, text

if TYPE_CHECKING:
    from marsseg.presets import Preset
    from marsseg.services import PlannedRun, Toggle

_MAX_REPEATS = 10
_MAX_FOLDS = 20
_NAME_LETTERS = 150


@dataclass(frozen=True, slots=True)
class StudyChoice:
    """What a person chose."""

    name: str
    baseline: RunConfig
    toggles: tuple[Toggle, ...]
    repeats: int
    folds: int


def render_setup(
    presets: Mapping[str, Preset], datasets: Sequence[str], toggles: Sequence[Toggle]
) -> StudyChoice:
    """Draw the choices and return them."""
    named = st.container()
    preset = st.selectbox(
        "Baseline", list(presets), key=keys.STUDY_PRESET, persist_state="session",
        format_func=lambda key: presets[key].title, help="All runs start from this configuration.",
    )  # fmt: skip
    usual_name = f"Ablation of {presets[preset].title}"
    name = named.text_input(
        "Name", key=keys.STUDY_NAME, persist_state="session", max_chars=_NAME_LETTERS, placeholder=usual_name,
        help="The baseline's run is called after it.",
    )  # fmt: skip
    st.caption(text.markdown(presets[preset].note))
    if st.session_state.get(keys.STUDY_DATASET) not in datasets:
        st.session_state[keys.STUDY_DATASET] = datasets[0]
    dataset = st.selectbox("Dataset", datasets, key=keys.STUDY_DATASET, persist_state="session")
    left, right = st.columns(2)
    epochs = left.number_input(
        "Epochs", 1, 10_000, value=None, key=keys.STUDY_EPOCHS, persist_state="session",
        placeholder=str(presets[preset].config.train.epochs), help="Empty for as many as the baseline says.",
    )  # fmt: skip
    repeats = right.number_input(
        "Repeats", 1, _MAX_REPEATS, value=3, key=keys.STUDY_REPEATS, persist_state="session",
        help="Each configuration runs with this many seeds; three or more show how much is luck.",
    )  # fmt: skip
    folds = st.selectbox(
        "Folds", [0, *range(2, _MAX_FOLDS + 1)], key=keys.STUDY_FOLDS, persist_state="session",
        format_func=lambda k: f"{k} folds" if k else "one split",
        help="k folds: every configuration runs k times, and each tile outside the test part validates once. "
        "The leaderboard pools the folds into one validation score. Do without repeats first.",
    )  # fmt: skip
    labels = st.pills(
        "Changes", [toggle.label for toggle in toggles], selection_mode="multi", key=keys.STUDY_TOGGLES,
        default=[toggle.label for toggle in toggles[:2]], persist_state="session",
        help="Each one is tried alone against the baseline.", wrap=True,
    )  # fmt: skip
    values = {"data.dataset": dataset} | ({"train.epochs": epochs} if epochs else {})
    return StudyChoice(
        name=name.strip() or usual_name,
        baseline=presets[preset].config.with_values(values),
        toggles=tuple(toggle for toggle in toggles if toggle.label in labels),
        repeats=int(repeats),
        folds=int(folds),
    )


def render_plan(planned: Sequence[PlannedRun], baseline: RunConfig, seconds: float) -> None:
    """The runs to come, one line a configuration, and about how long they take together."""
    by_name: dict[str, list[PlannedRun]] = {}
    for run in planned:
        by_name.setdefault(run.name, []).append(run)
    folds = planned[0].config.data.folds
    st.subheader(f"{len(planned)} runs, {formats.about(seconds)} one after the other")
    # A table, not a data frame: its words wrap where the window is narrow.
    st.table(
        {
            "Run": [text.markdown(name) for name in by_name],
            "What changes": [text.markdown(_changes(runs[0].config, baseline)) for runs in by_name.values()],
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


def _seeds(runs: Sequence[PlannedRun]) -> str:
    return ", ".join(map(str, dict.fromkeys(run.config.train.seed for run in runs)))


def _changes(config: RunConfig, baseline: RunConfig) -> str:
    """What a person changed: values that a toggle brings or takes along go without saying."""
    changed = [
        f"{FIELDS[path].ui.label}: {format_value(theirs)} → {format_value(ours)}"
        for path, (ours, theirs) in differences(config, baseline).items()
        if path != "train.seed" and ours is not None and theirs is not None
    ]
    return "; ".join(changed) or "nothing: the baseline itself"
