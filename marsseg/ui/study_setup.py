"""What a study is to find out: the kind of plan, where it starts, and what every run of it shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.config import RunConfig
from marsseg.config.describe import FIELDS, format_value
from marsseg.config.run import MAX_REPEATS
from marsseg.ui import keys, text

if TYPE_CHECKING:
    from marsseg.presets import Preset
    from marsseg.services import Toggle

CHANGES, LADDER, TWO_STAGES = "changes", "ladder", "two_stages"
_PLANS = {
    CHANGES: ("One change at a time", "A baseline, and runs that each change one thing in it."),
    LADDER: ("Report ladder", "The report's six rows, each against the one below it."),
    TWO_STAGES: ("Two stages", "Background first, then the terrain classes, then both combined."),
}
_MAX_FOLDS = 20
_NAME_LETTERS = 150


@dataclass(frozen=True, slots=True)
class StudyChoice:
    """What a person chose.

    Args:
        plan: `CHANGES`, `LADDER` or `TWO_STAGES`.
        shared: values by path that every run has: dataset and budget.
        baseline: where the study starts, with these values; of the ladder, its lowest row.
    """

    plan: str
    name: str
    baseline: RunConfig
    shared: Mapping[str, Any]
    repeats: int
    toggles: tuple[Toggle, ...] = field(default=())


def render_setup(
    presets: Mapping[str, Preset],
    ladder: Sequence[Preset],
    datasets: Sequence[str],
    groups: Mapping[str, Sequence[Toggle]],
) -> StudyChoice:
    """Draw the choices and return them."""
    plan = st.radio(
        "Plan", list(_PLANS), key=keys.STUDY_PLAN, persist_state="session",
        format_func=lambda key: _PLANS[key][0], captions=[caption for _, caption in _PLANS.values()],
    )  # fmt: skip
    start = ladder[0] if plan == LADDER else _baseline(presets)
    toggles = _toggles(groups) if plan == CHANGES else ()
    shared = _dataset(datasets)
    left, right = st.columns(2)
    shared |= _number(left, "train.epochs", keys.STUDY_EPOCHS, start.config)
    repeats = right.number_input(
        "Repeats", 1, MAX_REPEATS, value=3, key=keys.STUDY_REPEATS, persist_state="session",
        help="Each configuration runs with this many seeds; three or more show how much is luck.",
    )  # fmt: skip
    if plan == LADDER:
        shared |= _ladder_budget(start.config)
    if plan == CHANGES:
        shared |= {"data.folds": _folds()}
    usual_name = _usual_name(plan, start)
    name = st.text_input(
        "Name", key=keys.STUDY_NAME, persist_state="session", max_chars=_NAME_LETTERS, placeholder=usual_name,
        help="What the study is called, and its baseline's run after it.",
    )  # fmt: skip
    return StudyChoice(
        plan=plan,
        name=name.strip() or usual_name,
        baseline=start.config.with_values(shared),
        shared=shared,
        repeats=int(repeats),
        toggles=toggles,
    )


def _usual_name(plan: str, start: Preset) -> str:
    names = {CHANGES: f"Ablation of {start.title}", TWO_STAGES: f"{start.title} in two stages"}
    return names.get(plan, _PLANS[plan][0])


def _baseline(presets: Mapping[str, Preset]) -> Preset:
    preset = st.selectbox(
        "Baseline", list(presets), key=keys.STUDY_PRESET, persist_state="session",
        format_func=lambda key: presets[key].title, help="All runs start from this configuration.",
    )  # fmt: skip
    st.caption(text.markdown(presets[preset].note))
    return presets[preset]


def _dataset(datasets: Sequence[str]) -> dict[str, Any]:
    if st.session_state.get(keys.STUDY_DATASET) not in datasets:
        st.session_state[keys.STUDY_DATASET] = datasets[0]
    return {
        "data.dataset": st.selectbox("Dataset", datasets, key=keys.STUDY_DATASET, persist_state="session")
    }


def _ladder_budget(start: RunConfig) -> dict[str, Any]:
    left, right = st.columns(2)
    values = _number(left, "train.learning_rate", keys.STUDY_RATE, start)
    values |= _number(right, "train.batch_size", keys.STUDY_BATCH, start)
    st.caption(
        "The report's rows train for 200 epochs at a low rate. In fewer epochs a higher rate, such as 0.001, "
        "learns more; every row gets the same."
    )
    return values


def _number(place: Any, path: str, key: str, start: RunConfig) -> dict[str, Any]:
    """A field that is left empty for as much as the plan's own configurations say."""
    ui, usual = FIELDS[path].ui, start.flat()[path]
    whole = isinstance(usual, int)
    value = place.number_input(
        ui.label, 1 if whole else 0.000001, 10_000 if whole else 1.0, value=None, key=key,
        step=1 if whole else ui.step, format=ui.number_format, persist_state="session",
        placeholder=format_value(usual), help=f"{ui.help} Empty for {format_value(usual)}, as planned.",
    )  # fmt: skip
    return {} if value is None else {path: value}


def _folds() -> int:
    return st.selectbox(
        "Folds", [0, *range(2, _MAX_FOLDS + 1)], key=keys.STUDY_FOLDS, persist_state="session",
        format_func=lambda k: f"{k} folds" if k else "one split",
        help="k folds: every configuration runs k times, and each tile outside the test part validates once. "
        "The leaderboard pools the folds into one validation score. Do without repeats first.",
    )  # fmt: skip


def _toggles(groups: Mapping[str, Sequence[Toggle]]) -> tuple[Toggle, ...]:
    """One group of changes is on show; what is chosen in the others stays chosen, and is counted."""
    chosen = {group: _chosen(group, toggles) for group, toggles in groups.items()}
    group = st.segmented_control(
        "Changes", list(groups), key=keys.STUDY_GROUP, default=next(iter(groups)), required=True,
        persist_state="session", format_func=lambda name: _group_title(name, len(chosen[name])),
        wrap=True, help="Each one is tried alone against the baseline.",
    )  # fmt: skip
    st.pills(
        f"Changes: {group}", [toggle.label for toggle in groups[group]], selection_mode="multi",
        key=keys.study_toggles(group), label_visibility="collapsed", persist_state="session", wrap=True,
    )  # fmt: skip
    return tuple(
        toggle
        for name, toggles in groups.items()
        for toggle in toggles
        if toggle.label in st.session_state[keys.study_toggles(name)]
    )


def _chosen(group: str, toggles: Sequence[Toggle]) -> list[str]:
    """What is chosen in a group; on the first visit, the first two changes to the network."""
    key = keys.study_toggles(group)
    if key not in st.session_state:
        st.session_state[key] = [toggle.label for toggle in toggles[:2]] if group == "Network" else []
    return list(st.session_state[key])


def _group_title(name: str, chosen: int) -> str:
    return f"{name} · {chosen}" if chosen else name
