"""One renderer for each kind of configuration field. Values live in session state, keyed by path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from marsseg.classes import CLASSES, N_CLASSES
from marsseg.config import FieldView
from marsseg.config.describe import format_value
from marsseg.ui import form_layout, keys, text
from marsseg.ui.kinds import Kind, Shape, decimals_needed, range_text, shape_of

KEEP = "session"  # values outlive page changes and the moments when their field is hidden


@dataclass(frozen=True, slots=True)
class FieldContext:
    """What a widget needs beside the declaration.

    Args:
        form: the form that the field belongs to.
        base: the value that a change is marked against.
        value: the value as it stands.
        options: choices that replace free text, e.g. the datasets there are.
        placeholder: what free text that is left empty stands for.
    """

    form: str
    base: Any
    value: Any
    options: Sequence[str] | None = None
    placeholder: str | None = None


def render_widget(view: FieldView, context: FieldContext) -> None:
    """Draw the widget of one field into the current container."""
    shape = shape_of(view)
    if context.options is not None:
        _options(view, shape, context)
    else:
        _RENDERERS[shape.kind](view, shape, context)


def label_of(view: FieldView, context: FieldContext) -> str:
    """Label with unit, and what a changed field held before: "Filters (channels) • was 16"."""
    unit = f" ({view.ui.unit})" if view.ui.unit else ""
    was = ""
    if context.value != context.base and view.path != "name":
        was = f" • was {text.markdown(text.shorten(format_value(context.base), 24))}"
    return f"{view.ui.label}{unit}{was}"


def help_of(view: FieldView) -> str:
    """The declared help and the range that the configuration will accept."""
    bounds = range_text(view.info)
    return text.markdown(view.ui.help) + (f" Range: {bounds}." if bounds else "")


def part_name(view: FieldView, part: int) -> str:
    """What one number of a tuple is called: five of them belong to the five classes."""
    per_class = shape_of(view).length == N_CLASSES
    return f"{view.ui.label}, {CLASSES[part].name if per_class else part + 1}"


def _toggle(view: FieldView, _shape: Shape, context: FieldContext) -> None:
    """Off and on as two buttons: label above and control below, in line with the fields beside it."""
    st.segmented_control(
        label_of(view, context),
        [False, True],
        key=keys.field(context.form, view.path),
        help=help_of(view),
        format_func=format_value,
        required=True,
        persist_state=KEEP,
    )


def _choice(view: FieldView, shape: Shape, context: FieldContext) -> None:
    key = keys.field(context.form, view.path)
    if form_layout.is_spread_out(view):
        st.segmented_control(
            label_of(view, context),
            shape.choices,
            key=key,
            help=help_of(view),
            format_func=format_value,
            required=True,
            wrap=True,
            persist_state=KEEP,
        )
        return
    st.selectbox(
        label_of(view, context),
        shape.choices,
        key=key,
        help=help_of(view),
        format_func=format_value,
        persist_state=KEEP,
    )


def _integer(view: FieldView, shape: Shape, context: FieldContext) -> None:
    st.number_input(
        label_of(view, context),
        value=None if shape.optional else "min",
        step=int(view.ui.step or 1),
        key=keys.field(context.form, view.path),
        help=help_of(view),
        persist_state=KEEP,
    )


def _number(view: FieldView, shape: Shape, context: FieldContext) -> None:
    st.number_input(
        label_of(view, context),
        value=None if shape.optional else "min",
        step=float(view.ui.step or 0.01),
        format=_format(view, context.value),
        key=keys.field(context.form, view.path),
        help=help_of(view),
        placeholder="none" if shape.optional else None,
        persist_state=KEEP,
    )


def _numbers(view: FieldView, shape: Shape, context: FieldContext) -> None:
    st.markdown(label_of(view, context), help=help_of(view))
    with st.grid(shape.length, min_column_width=84, gap="xsmall"):
        for part in range(shape.length):
            with st.container(gap="xxsmall"):
                if shape.length == N_CLASSES:
                    st.html(class_name_html(part))
                st.number_input(
                    part_name(view, part),
                    step=float(view.ui.step or 0.01),
                    format=_format(view, context.value[part]),
                    key=keys.field(context.form, view.path, part),
                    label_visibility="collapsed",
                    persist_state=KEEP,
                )


def _text(view: FieldView, _shape: Shape, context: FieldContext) -> None:
    st.text_input(
        label_of(view, context),
        key=keys.field(context.form, view.path),
        help=help_of(view),
        placeholder=context.placeholder,
        persist_state=KEEP,
    )


def _options(view: FieldView, _shape: Shape, context: FieldContext) -> None:
    """A list of known names; a name that has gone stays on show, so that nothing changes unseen."""
    known = list(context.options or ())
    gone = [] if context.value in known else [context.value]
    st.selectbox(
        label_of(view, context),
        [*known, *gone],
        key=keys.field(context.form, view.path),
        help=help_of(view),
        format_func=lambda name: f"{name} (missing)" if name in gone else str(name),
        persist_state=KEEP,
    )


def class_name_html(index: int) -> str:
    """A class's name behind a square of its colour."""
    terrain = CLASSES[index]
    return (
        '<span style="display:inline-flex;align-items:center;gap:.35em;font-size:.875rem;white-space:nowrap">'
        f'<span style="width:.7em;height:.7em;border-radius:2px;background:{terrain.color};'
        'border:1px solid rgba(128,120,112,.7)"></span>'
        f"{text.markup(terrain.name)}</span>"
    )


def _format(view: FieldView, value: Any) -> str:
    return decimals_needed(float(value or 0), view.ui.number_format)


_RENDERERS: dict[Kind, Callable[[FieldView, Shape, FieldContext], None]] = {
    Kind.TOGGLE: _toggle,
    Kind.CHOICE: _choice,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.NUMBERS: _numbers,
    Kind.TEXT: _text,
}
