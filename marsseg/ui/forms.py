"""The configuration as a form: every declared field of `RunConfig` becomes a widget."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import streamlit as st

from marsseg.config import FieldView, RunConfig
from marsseg.config.describe import UNCHANGED, describe
from marsseg.ui import keys, text
from marsseg.ui.form_layout import COLUMNS, cells, rows, section_of
from marsseg.ui.form_state import (
    FIELDS,
    bring_back,
    changed_paths,
    edits_set_aside,
    ensure_form,
    forget_set_aside,
    form_base,
    form_base_name,
    form_values,
    is_active,
    read_form,
    reset_form,
    set_fields,
    set_form,
)
from marsseg.ui.widgets import FieldContext, part_name, render_widget
from marsseg.wording import counted

__all__ = [
    "changed_paths",
    "forget_set_aside",
    "form_base",
    "form_base_name",
    "read_form",
    "render_field",
    "render_form",
    "render_problem",
    "render_problem_count",
    "render_section",
    "reset_form",
    "set_fields",
    "set_form",
    "usual_name",
]

SECTION_TITLES = {
    "model": "Network",
    "loss": "Loss",
    "data": "Data",
    "augment": "Augmentation",
    "train": "Training",
}


def render_form(
    *,
    form: str = keys.TRAIN_FORM,
    problems: Mapping[str, str] | None = None,
    options: Mapping[str, Sequence[str]] | None = None,
    exclude: Collection[str] = (),
) -> tuple[RunConfig | None, dict[str, str]]:
    """Draw a form's sections and return what `read_form` does.

    Args:
        form: which form; see `keys`.
        problems: sentences by path to show beside the form's own, such as a dataset that is gone.
        options: choices that replace free text, by path, e.g. {"data.dataset": names}.
        exclude: paths that the page draws elsewhere with `render_field`, or not at all.
    """
    ensure_form(form)
    config, own = read_form(form)
    shown = {**(problems or {}), **own}
    section = _section_switch(form, shown)
    _unplaced(shown)
    _render_section(section, form, shown, options or {}, exclude)
    return config, own


def render_section(section: str, *, form: str = keys.TRAIN_FORM) -> None:
    """Draw one section of a form, on another page than the form's own: the values are the same."""
    ensure_form(form)
    _render_section(section, form, read_form(form)[1], {}, ())


def render_field(
    path: str,
    *,
    form: str = keys.TRAIN_FORM,
    problems: Mapping[str, str] | None = None,
    options: Sequence[str] | None = None,
    placeholder: str | None = None,
) -> None:
    """Draw one field on its own, such as the name or the seed beside the start button."""
    ensure_form(form)
    value = form_values(form)[path]
    base = form_base(form).flat()[path]
    render_widget(FIELDS[path], FieldContext(form, base, value, options, placeholder))
    _render_problems(FIELDS[path], read_form(form)[1] if problems is None else problems)


def usual_name(config: RunConfig, form: str = keys.TRAIN_FORM) -> str:
    """What a run is called whose name is left empty: what differs from the base, or the base's name."""
    words = describe(config, form_base(form))
    return form_base_name(form) or words if words == UNCHANGED else words


def render_problem(sentence: str) -> None:
    """One sentence in red, beside what caused it."""
    st.markdown(f":red[:material/error: {text.markdown(sentence)}]")


def render_problem_count(count: int) -> None:
    """How many fields have to be mended, away from the fields themselves."""
    if count == 1:
        render_problem("One field cannot work yet; mend the marked one.")
    else:
        render_problem(f"{count} fields cannot work yet; mend the marked ones.")


def _render_section(
    section: str,
    form: str,
    problems: Mapping[str, str],
    options: Mapping[str, Sequence[str]],
    exclude: Collection[str],
) -> None:
    views = [v for p, v in FIELDS.items() if section_of(p) == section and p not in exclude]
    for row in rows(views):
        alone = len(row.leaders) == 1  # then there is room beside it
        for line in [(*row.leaders, *row.dependents)] if alone else [row.leaders, row.dependents]:
            _render_cells(line, form, problems, options)


def _section_switch(form: str, problems: Mapping[str, str]) -> str:
    """The row of sections. Not `st.tabs`: tabs jump back to the first one when a title changes."""
    wrong = {section_of(path) for path in problems}
    key = keys.form_section(form)
    if st.session_state.get(key) not in SECTION_TITLES:
        st.session_state[key] = next(iter(SECTION_TITLES))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Section of the configuration",
            list(SECTION_TITLES),
            key=key,
            format_func=lambda section: _section_title(section, section in wrong),
            required=True,
            label_visibility="collapsed",
            persist_state="session",
            wrap=True,
        )
        _reset_button(form)
        _bring_back_button(form)
    return str(st.session_state[key])


def _section_title(section: str, is_wrong: bool) -> str:
    return SECTION_TITLES[section] + (" :red[:material/error:]" if is_wrong else "")


def _reset_button(form: str) -> None:
    """Always there, so that the first change does not push the fields down."""
    changes = len(changed_paths(form))
    name = form_base_name(form)
    st.button(
        f"Undo {counted(changes, 'change')}" if changes else "No changes",
        key=keys.form_reset(form),
        icon=":material/undo:",
        type="tertiary",
        disabled=not changes,
        help=f"Back to {text.markdown(name)}." if name else "Back to where this form started.",
        on_click=reset_form,
        kwargs={"form": form},
    )


def _bring_back_button(form: str) -> None:
    """There only when a preset or a run was filled in over somebody's edits."""
    kept = edits_set_aside(form)
    if kept is None:
        return
    whose = f" to {text.markdown(kept.base_name)}" if kept.base_name else ""
    st.button(
        f"Bring back {counted(len(kept.edited), 'change')}",
        key=keys.form_bring_back(form),
        icon=":material/history:",
        type="tertiary",
        help=f"Your changes{whose}, from before the form was filled anew.",
        on_click=bring_back,
        kwargs={"form": form},
    )


def _render_cells(
    views: Iterable[FieldView],
    form: str,
    problems: Mapping[str, str],
    options: Mapping[str, Sequence[str]],
) -> None:
    """Those of the fields that matter now, label beside label, and below them what is wrong with them."""
    values, base = form_values(form), form_base(form).flat()
    shown = [view for view in views if is_active(view.path, values)]
    if not shown:
        return
    grid = st.grid(COLUMNS, min_column_width=140, gap="small")
    for view in shown:
        with grid.cell(column_span="all" if cells(view) == COLUMNS else 1):
            context = FieldContext(form, base[view.path], values[view.path], options.get(view.path))
            render_widget(view, context)
    for view in shown:
        _render_problems(view, problems)


def _render_problems(view: FieldView, problems: Mapping[str, str]) -> None:
    """Sentences about a field, or about one number of a tuple, under the field's row."""
    for place, sentence in problems.items():
        if place == view.path or place.startswith(f"{view.path}."):
            part = place.removeprefix(view.path).removeprefix(".")
            name = part_name(view, int(part)) if part.isdigit() else view.ui.label
            render_problem(f"{name}: {sentence}")


def _unplaced(problems: Mapping[str, str]) -> None:
    """Sentences about the whole, which no single field could show."""
    for path, sentence in problems.items():
        if not any(path == known or path.startswith(f"{known}.") for known in FIELDS):
            render_problem(f"{path}: {sentence}")
