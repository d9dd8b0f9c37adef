"""Put runs together: the average of several, their mirror images, two stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import keys, run_words, shell
from marsseg.ui.run_uses import RunUses

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord

_WIDTH = 420
_RULES = {"mean": "Average", "two_stage": "Two stages"}
_HELP = {
    "mean": "Averages what the networks say of each pixel: an ensemble. It costs their time together.",
    "two_stage": "One network says how likely background is, the other shares out the rest among the "
    "terrain classes. Only the strict lens can show whether that helps: the terrain lens does not count "
    "background, so it cannot see stage one.",
}


def render_combine(runs: Sequence[RunRecord], uses: RunUses, *, key: str) -> None:
    """A button that opens the choice; the result is a run of its own, scored like any other.

    Args:
        runs: what is to be combined; a single run can be flipped.
        key: tells the widgets of one place from those of another.
    """
    begun = int(st.session_state.get(keys.combine_field("begun", key), 0))
    turn = f"{key}.{begun}"  # a new choice is closed: a second click does not reach its button
    with st.popover(
        "Combine", icon=":material/call_merge:", disabled=not _can_combine(runs),
        key=keys.combine_field("choice", turn),
    ):  # fmt: skip
        ids = [run.id for run in runs]
        rule = _rule(runs, key)
        if rule == "two_stage":
            ids = _background_first(runs, key)
        flips = len(runs) == 1 or st.toggle(
            "Flip as well",
            key=keys.combine_field("flips", key),
            help="Averages over each image and its mirror image, too. Takes twice the time.",
        )
        name = st.text_input(
            "Name", key=keys.combine_field("name", key), max_chars=200, placeholder="what it is made of",
            width=_WIDTH,
        )  # fmt: skip

        def combine() -> bool:
            return uses.combine(ids, rule=rule, flips=flips, name=name)

        def tell(worked: bool) -> None:
            if worked:
                st.session_state[keys.combine_field("begun", key)] = begun + 1
                shell.flash("Queued; it takes a few seconds.")

        st.button(
            "Flip this run" if len(runs) == 1 else f"Combine {len(runs)} runs",
            key=keys.combine_field("start", turn),
            on_click=shell.once(combine, tell),
        )


def _can_combine(runs: Sequence[RunRecord]) -> bool:
    return all(run.status.ended_well for run in runs)


def _rule(runs: Sequence[RunRecord], key: str) -> str:
    if len(runs) == 1:
        st.markdown(
            "Averages what its network says of each image and of its mirror image: test-time augmentation. "
            "The result is a run of its own on the leaderboard.",
            width=_WIDTH,
        )
        return "mean"
    choices = list(_RULES) if len(runs) == 2 else ["mean"]
    rule = st.segmented_control(
        "How", choices, key=keys.combine_field("rule", key), default="mean", required=True,
        format_func=_RULES.__getitem__, disabled=len(choices) == 1,
    )  # fmt: skip
    st.caption(_HELP[rule], width=_WIDTH)
    return rule


def _background_first(runs: Sequence[RunRecord], key: str) -> list[str]:
    """The ids in the order that two stages need; a run that learned only background offers itself."""
    names = {run.id: run_words.name_with_fold(run, 50) for run in runs}
    likely = next((i for i, run in enumerate(runs) if run.config.data.target == "background"), 0)
    first = st.selectbox(
        "Says what is background", list(names), index=likely, key=keys.combine_field("first", key),
        format_func=lambda run_id: f"{names[run_id]} ({run_id})", width=_WIDTH,
    )  # fmt: skip
    return [first, *(run_id for run_id in names if run_id != first)]
