"""Where a form gets its values from: a preset, or a run that was made before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import form_state, forms, keys, run_words, shell, text

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.presets import Preset
    from marsseg.store.records import RunRecord


def render_sources(
    presets: Mapping[str, Preset],
    runs: Sequence[RunRecord],
    datasets: Sequence[str],
    read_config: Callable[[str], RunConfig],
) -> None:
    """Choose a preset, which leaves the dataset as chosen, or a run whose configuration fills the form.

    Without a run, changes are marked against the preset again, and the values stay.

    Args:
        presets: by key.
        runs: those to choose from.
        datasets: names of those that there are.
        read_config: the configuration of a run, by its id, to be changed.
    """
    by_id = {run.id: run for run in runs}
    fill_first(presets, datasets)

    def load_preset() -> None:
        _fill(presets[st.session_state[keys.TRAIN_PRESET]], datasets, _dataset())

    def load_run() -> None:
        run = by_id.get(st.session_state[keys.TRAIN_RUN])
        if run is None:
            preset = presets[st.session_state[keys.TRAIN_PRESET]]
            base = _config(preset, datasets, _dataset())
            form_state.compare_with(base, base_name=preset.title, source=_source(preset))
        elif not shell.attempt(lambda: _load(run, read_config(run.id))):
            st.session_state[keys.TRAIN_RUN] = None

    if st.session_state.get(keys.TRAIN_RUN) not in by_id:
        st.session_state[keys.TRAIN_RUN] = None
    left, right = st.columns(2)
    preset = left.selectbox(
        "Preset", list(presets), key=keys.TRAIN_PRESET, persist_state="session",
        format_func=lambda key: presets[key].title, on_change=load_preset,
    )  # fmt: skip
    loaded = right.selectbox(
        "Load from run", list(by_id), index=None, key=keys.TRAIN_RUN, persist_state="session",
        format_func=lambda run_id: f"{run_words.name_with_fold(by_id[run_id], 40)} ({run_id})",
        placeholder="None" if by_id else "No runs yet", disabled=not by_id, on_change=load_run,
    )  # fmt: skip
    if loaded is not None:
        st.caption(f"As in {text.markdown(text.shorten(by_id[loaded].name, 80))}; changes are marked.")
        return
    st.caption(
        f"{text.markdown(presets[preset].note)} :gray[Source: {text.markdown(presets[preset].source)}.]"
    )


def fill_first(presets: Mapping[str, Preset], datasets: Sequence[str]) -> None:
    """Start a session's form with the first preset; does nothing once it has been filled."""
    if keys.form_base(keys.TRAIN_FORM) not in st.session_state:
        _fill(next(iter(presets.values())), datasets, "")


def clone(get_run: Callable[[str], RunRecord], read_config: Callable[[str], RunConfig], run_id: str) -> None:
    """Fill the form of a new run with a run's configuration, and go to its page."""
    _load(get_run(run_id), read_config(run_id))
    st.switch_page("pages/train.py")


def _load(run: RunRecord, config: RunConfig) -> None:
    forms.set_form(config, base_name=run.name, source={keys.TRAIN_RUN: run.id})


def _fill(preset: Preset, datasets: Sequence[str], chosen: str) -> None:
    config = _config(preset, datasets, chosen)
    forms.set_form(config, base_name=preset.title, source=_source(preset))


def _source(preset: Preset) -> dict[str, str | None]:
    return {keys.TRAIN_PRESET: preset.key, keys.TRAIN_RUN: None}


def _config(preset: Preset, datasets: Sequence[str], chosen: str) -> RunConfig:
    """Presets name no dataset of their own: theirs gives way to the one chosen, or to one there is."""
    wanted = chosen or preset.config.data.dataset
    dataset = wanted if chosen or wanted in datasets or not datasets else datasets[0]
    return preset.config.with_values({"data.dataset": dataset})


def _dataset() -> str:
    return str(form_state.form_values()["data.dataset"])
