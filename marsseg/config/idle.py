"""Settings that were made and have no say, because what they belong to is off or set otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from marsseg.config.describe import FIELDS, FieldView
from marsseg.config.fields import When, matters
from marsseg.config.run import RunConfig
from marsseg.wording import joined


def idle_settings(
    config: RunConfig, start: RunConfig | None = None, others: Iterable[RunConfig] = ()
) -> list[str]:
    """For each remedy a sentence on the settings that have no say without it.

    Args:
        config: whose values are looked at; those at their default were not set by anyone.
        start: what `config` was made from, such as a preset; nor were its values.
        others: what else is planned from `config`; a setting that has a say in one of them is not idle.
    """
    values, before, defaults = config.flat(), (start or RunConfig()).flat(), RunConfig().flat()
    used = {path for each in (config, *others) for path in each.effective()}
    idle: dict[str, list[str]] = {}
    for path, value in values.items():
        if path not in used and value not in (before[path], defaults[path]):
            idle.setdefault(_remedy(FIELDS[path], values), []).append(f"{path}={_text(value)}")
    return [
        f"{joined(settings)} {'has' if len(settings) == 1 else 'have'} no say without {remedy}."
        for remedy, settings in idle.items()
    ]


def _remedy(view: FieldView, values: Mapping[str, Any]) -> str:
    """What would give an idle field its say, as assignments: one of the field's conditions, made to hold."""
    return " or ".join(_missing(view, condition, values) for condition in view.ui.conditions)


def _missing(view: FieldView, condition: When, values: Mapping[str, Any]) -> str:
    """What a condition lacks: what gives a sibling its say, and the value that it asks of that one."""
    sibling = FIELDS[f"{view.parent}.{condition.field}"]
    section = {field.name: values[path] for path, field in FIELDS.items() if field.parent == view.parent}
    lacks = [] if matters(sibling.section, sibling.name, section) else [_remedy(sibling, values)]
    if not condition.holds(section):
        lacks.append(_asked(sibling, condition))
    return joined(lacks)


def _asked(sibling: FieldView, condition: When) -> str:
    """What a condition asks of a sibling, such as "model.residual=true" or "loss.focal above 0"."""
    if condition.values:
        return f"{sibling.path}={joined([_text(value) for value in condition.values], 'or')}"
    if condition.unless:
        return f"{sibling.path} other than {joined([_text(value) for value in condition.unless], 'or')}"
    return f"{sibling.path}=true" if sibling.info.annotation is bool else f"{sibling.path} above 0"


def _text(value: Any) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)
