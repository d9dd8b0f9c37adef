"""The values of a configuration form, kept in session state under one key a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from marsseg.config import FieldView, RunConfig, iter_fields, parse_values
from marsseg.config.fields import matters
from marsseg.errors import ConfigError
from marsseg.ui import keys
from marsseg.ui.kinds import Kind, Shape, shape_of

FIELDS: dict[str, FieldView] = {view.path: view for view in iter_fields() if view.ui.in_form}
SHAPES: dict[str, Shape] = {path: shape_of(view) for path, view in FIELDS.items()}


def set_form(
    config: RunConfig,
    *,
    base: RunConfig | None = None,
    base_name: str = "",
    form: str = keys.TRAIN_FORM,
) -> None:
    """Fill a form from outside, as when a preset is chosen or a run is loaded.

    Must run before the form is drawn: in a callback, above the form, or on another page.

    Args:
        config: the values to show.
        base: what changes are marked against; `config` itself unless told otherwise.
        base_name: what the base is called beside the changes, e.g. the preset's name.
        form: which form; pages name theirs in `keys`.
    """
    st.session_state[keys.form_base(form)] = base or config
    st.session_state[keys.form_base_name(form)] = base_name
    _write_values(config.flat(), form)


def set_fields(values: Mapping[str, Any], *, form: str = keys.TRAIN_FORM) -> None:
    """Set single fields by dotted path and leave the others; must run before the form is drawn."""
    ensure_form(form)
    _write_values(values, form)


def reset_form(*, form: str = keys.TRAIN_FORM) -> None:
    """Undo all changes since the form was filled; must run before the form is drawn."""
    _write_values(form_base(form).flat(), form)


def form_base(form: str = keys.TRAIN_FORM) -> RunConfig:
    """The configuration that changes are marked against."""
    base = st.session_state.get(keys.form_base(form))
    return base if isinstance(base, RunConfig) else RunConfig()


def form_base_name(form: str = keys.TRAIN_FORM) -> str:
    """What that configuration is called; may be empty."""
    return str(st.session_state.get(keys.form_base_name(form), ""))


def form_values(form: str = keys.TRAIN_FORM) -> dict[str, Any]:
    """The form's values by dotted path as they stand in the widgets, valid or not."""
    base = form_base(form).flat()
    return {path: _read_value(path, base[path], form) for path in FIELDS}


def read_form(form: str = keys.TRAIN_FORM) -> tuple[RunConfig | None, dict[str, str]]:
    """The form as a configuration, or None and one sentence for each field that is wrong.

    A wrong value in a field that does not matter, and so is not shown, counts as its default.
    """
    values = form_values(form)
    try:
        return parse_values(values), {}
    except ConfigError:
        active = {path: value for path, value in values.items() if is_active(path, values)}
    try:
        return parse_values(active), {}
    except ConfigError as error:
        return None, {path: _own_words(path, active, text) for path, text in error.problems.items()}


def is_active(path: str, values: Mapping[str, Any]) -> bool:
    """Whether a field matters, given the values of its section."""
    view = FIELDS[path]
    prefix = f"{view.parent}."
    section = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    return matters(view.section, view.name, section)


def changed_paths(form: str = keys.TRAIN_FORM) -> list[str]:
    """Fields that matter and differ from the base, in declaration order; the name is not one."""
    values, base = form_values(form), form_base(form).flat()
    return [
        path
        for path, value in values.items()
        if path != "name" and value != base[path] and is_active(path, values)
    ]


def ensure_form(form: str) -> None:
    """Fill the fields that no one has set yet with the base's values."""
    base = form_base(form).flat()
    st.session_state.setdefault(keys.form_base(form), form_base(form))
    _write_values({path: base[path] for path in FIELDS if not _is_set(path, form)}, form)


def _write_values(values: Mapping[str, Any], form: str) -> None:
    for path, value in values.items():
        if path not in FIELDS:
            continue
        for key, part in zip(_keys(path, form), _parts(path, value), strict=True):
            st.session_state[key] = part


def _read_value(path: str, fallback: Any, form: str) -> Any:
    stored = [
        st.session_state.get(key, part)
        for key, part in zip(_keys(path, form), _parts(path, fallback), strict=True)
    ]
    return tuple(stored) if SHAPES[path].kind is Kind.NUMBERS else stored[0]


def _is_set(path: str, form: str) -> bool:
    return all(key in st.session_state for key in _keys(path, form))


def _keys(path: str, form: str) -> list[str]:
    shape = SHAPES[path]
    if shape.kind is Kind.NUMBERS:
        return [keys.field(form, path, part) for part in range(shape.length)]
    return [keys.field(form, path)]


def _parts(path: str, value: Any) -> Iterable[Any]:
    """The value as its widgets hold it: number inputs for floats refuse whole numbers."""
    shape = SHAPES[path]
    if shape.kind is Kind.NUMBERS:
        return [float(part) for part in value]
    if shape.kind is Kind.NUMBER and isinstance(value, int):
        return [float(value)]
    return [value]


def _own_words(path: str, values: Mapping[str, Any], sentence: str) -> str:
    if path in values and values[path] is None:
        return "is empty; enter a value."
    return sentence
