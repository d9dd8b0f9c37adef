"""The values of a configuration form, kept in session state under one key a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from marsseg.config import FieldView, RunConfig, iter_fields, parse_values
from marsseg.config.fields import matters
from marsseg.errors import ConfigError
from marsseg.ui import keys
from marsseg.ui.kinds import Kind, Shape, shape_of

FIELDS: dict[str, FieldView] = {view.path: view for view in iter_fields() if view.ui.in_form}
SHAPES: dict[str, Shape] = {path: shape_of(view) for path, view in FIELDS.items()}


@dataclass(frozen=True, slots=True)
class Filling:
    """What a form holds and where it got that from.

    Args:
        values: by dotted path, valid or not.
        base: what changes are marked against.
        base_name: what the base is called; may be empty.
        source: session state that shows where the base comes from, such as the chosen preset.
    """

    values: Mapping[str, Any]
    base: RunConfig
    base_name: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def edited(self) -> list[str]:
        """Fields that somebody would miss: those that matter and differ from the base, and the name."""
        base = self.base.flat()
        changed = [path for path, value in self.values.items() if path in FIELDS and value != base[path]]
        return [path for path in changed if is_active(path, self.values)]


def set_form(
    config: RunConfig,
    *,
    base: RunConfig | None = None,
    base_name: str = "",
    source: Mapping[str, Any] | None = None,
    form: str = keys.TRAIN_FORM,
) -> None:
    """Fill a form from outside, as when a preset is chosen or a run is loaded.

    Edits that this takes away can be brought back. Must run before the form is drawn: in a callback, above
    the form, or on another page.

    Args:
        config: the values to show.
        base: what changes are marked against; `config` itself unless told otherwise.
        base_name: what the base is called beside the changes, e.g. the preset's name.
        source: session state to set that shows where the base comes from.
        form: which form; pages name theirs in `keys`.
    """
    _fill(Filling(config.flat(), base or config, base_name, source or {}), form)


def compare_with(
    base: RunConfig, *, base_name: str, source: Mapping[str, Any], form: str = keys.TRAIN_FORM
) -> None:
    """Mark changes against another base, and leave the values; arguments as of `set_form`."""
    st.session_state[keys.form_base(form)] = base
    st.session_state[keys.form_base_name(form)] = base_name
    st.session_state[keys.form_source(form)] = source
    st.session_state.update(source)


def edits_set_aside(form: str = keys.TRAIN_FORM) -> Filling | None:
    """What the form held when it was filled anew over somebody's edits."""
    kept = st.session_state.get(keys.form_set_aside(form))
    return kept if isinstance(kept, Filling) else None


def bring_back(*, form: str = keys.TRAIN_FORM) -> None:
    """Put the edits back that were set aside; later ones are set aside for them. Before the form is drawn."""
    kept = edits_set_aside(form)
    forget_set_aside(form=form)
    if kept is not None:
        _fill(kept, form)


def forget_set_aside(*, form: str = keys.TRAIN_FORM) -> None:
    """Offer nothing back any more."""
    st.session_state[keys.form_set_aside(form)] = None


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
    return [path for path in Filling(form_values(form), form_base(form)).edited if path != "name"]


def ensure_form(form: str) -> None:
    """Fill the fields that no one has set yet with the base's values."""
    base = form_base(form).flat()
    st.session_state.setdefault(keys.form_base(form), form_base(form))
    _write_values({path: base[path] for path in FIELDS if not _is_set(path, form)}, form)


def _fill(new: Filling, form: str) -> None:
    source = st.session_state.get(keys.form_source(form), {})
    old = Filling(form_values(form), form_base(form), form_base_name(form), source)
    if any(old.values[path] != new.values[path] for path in old.edited):
        st.session_state[keys.form_set_aside(form)] = old
    compare_with(new.base, base_name=new.base_name, source=new.source, form=form)
    _write_values(new.values, form)


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
