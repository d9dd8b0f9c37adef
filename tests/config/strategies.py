"""Random valid configurations: each field within its own bounds, filtered by the rules between fields."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from marsseg.config import RunConfig, iter_fields, parse_values
from marsseg.errors import ConfigError


def _numbers(info: FieldInfo, *, whole: bool) -> st.SearchStrategy[Any]:
    bounds = {
        kind: getattr(m, kind) for m in info.metadata for kind in ("ge", "gt", "le", "lt") if hasattr(m, kind)
    }
    low = bounds.get("ge", bounds.get("gt", 0))
    high = bounds.get("le", bounds.get("lt", 1000))
    if whole:
        return st.integers(low, high)
    return st.floats(low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds)


def values_of(path: str, info: FieldInfo) -> st.SearchStrategy[Any]:
    kind = info.annotation
    if path == "loss.class_weights.manual":
        return st.tuples(*[st.floats(0, 1000)] * 5)
    if path == "loss.class_weights.cap":
        return st.none() | st.floats(0, 1000, exclude_min=True)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
    return _numbers(info, whole=kind is int)


_EVERY_FIELD = st.fixed_dictionaries(
    {}, optional={view.path: values_of(view.path, view.info) for view in iter_fields() if view.ui.in_form}
)


def _or_none(values: dict[str, Any]) -> RunConfig | None:
    try:
        return parse_values(values)
    except ConfigError as error:
        # each field was drawn within its own bounds: only rules between fields may refuse
        if any("must be" in sentence for sentence in error.problems.values()):
            raise
        return None


configs: st.SearchStrategy[RunConfig] = _EVERY_FIELD.map(_or_none).filter(lambda c: c is not None)  # type: ignore[assignment]
