"""From JSON, form values and `--set` arguments to a RunConfig, with one sentence per mistake."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from marsseg.classes import CLASS_NAMES
from marsseg.config.run import RunConfig
from marsseg.errors import ConfigError

_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "less_than": ("lt", "must be less than {}"),
}
_TYPES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list of numbers",
    "finite_number": "must be a finite number",
    "model_type": "must be an object with fields",
}
_LENGTHS = {
    "string_too_long": "must have at most {max_length} characters; got {count}.",
    "string_too_short": "must have at least {min_length} character; got {count}.",
    "too_long": "must have at most {max_length} entries; got {count}.",
}
_ONE_PER_CLASS = f"must be five numbers, one for each class ({', '.join(CLASS_NAMES)})"


def parse_config(text: str | bytes) -> RunConfig:
    """Read a configuration from JSON text.

    Raises:
        ConfigError: the text is no JSON object, a field is unknown, or a value does not fit.
    """
    try:
        return RunConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(explain(error)) from error


def parse_values(values: dict[str, Any]) -> RunConfig:
    """Build a configuration from values by dotted path; missing ones take their defaults.

    Raises:
        ConfigError: a path is unknown or a value does not fit.
    """
    return parse_config(json.dumps(nest(values), default=list))


def apply_overrides(config: RunConfig, assignments: Iterable[str]) -> RunConfig:
    """Apply `path=value` assignments such as `model.residual=true` or `loss.class_weights.cap=null`.

    Raises:
        ConfigError: an assignment has no `=`, its path is unknown, or its value does not fit.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError({assignment: "is no assignment; write path=value."})
        values[path.strip()] = _scalar(text.strip())
    return config.with_values(values) if values else config


def explain(error: ValidationError) -> dict[str, str]:
    """One sentence per offending field, by dotted path."""
    problems: dict[str, str] = {}
    for item in error.errors():
        context = item.get("ctx", {})
        location = [str(part) for part in item["loc"]]
        if item["type"] == "rule":
            location.append(context["field"])
        if item["type"] == "missing":
            location.pop()  # the list is too short, whichever of its numbers is missed
        path = ".".join(part for part in location if not part.startswith("function-"))
        problems.setdefault(path or "config", _sentence(item["type"], item, context))
    return problems


def nest(flat: dict[str, Any]) -> dict[str, Any]:
    """Turn values by dotted path into nested dictionaries.

    Raises:
        ConfigError: one path runs through another's value, as in `model` beside `model.depth`.
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError({path: f"{parent} is a single value and has no fields of its own."})
        if isinstance(place.get(leaf), dict):
            raise ConfigError({path: "is a section; set one of its fields instead."})
        place[leaf] = value
    return nested


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _number(value: float) -> str:
    """A bound as people write it: a whole number in full, however large."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def _sentence(kind: str, item: Any, context: dict[str, Any]) -> str:
    received = _shown(item["input"])
    if kind == "rule":
        return str(context["sentence"])
    if kind in _BOUNDS:
        bound, text = _BOUNDS[kind]
        return f"{text.format(_number(context[bound]))}; got {received}."
    if kind in _TYPES:
        return f"{_TYPES[kind]}; got {received}."
    if kind in {"missing", "too_long"} and "class_weights" in item["loc"]:
        return f"{_ONE_PER_CLASS}; got {received}."
    if kind in _LENGTHS:
        return _LENGTHS[kind].format(**context, count=len(item["input"]))
    if kind == "literal_error":
        return f"must be one of {context['expected']}; got {received}."
    if kind == "extra_forbidden":
        return _unknown([str(part) for part in item["loc"]])
    if kind == "json_invalid":
        return f"is not valid JSON ({context['error']}); check the file."
    return f"{item['msg']}; got {received}."


def _unknown(location: list[str]) -> str:
    known = list(RunConfig().flat())
    close = difflib.get_close_matches(".".join(location), known, n=1, cutoff=0.5)
    hint = (
        f"did you mean {close[0]}?" if close else "`python -m marsseg presets list --json` shows all fields."
    )
    return f"is not a field of a run configuration; {hint}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
