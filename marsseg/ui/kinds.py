"""Which widget a configuration field calls for, read off its declared type and bounds."""

from __future__ import annotations

import re
import types
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from marsseg.config import FieldView


class Kind(Enum):
    """The widgets there are; one renderer each in `widgets`."""

    TOGGLE = "toggle"
    CHOICE = "choice"
    INTEGER = "integer"
    NUMBER = "number"
    NUMBERS = "numbers"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Shape:
    """A field's kind, whether it may be empty, its choices, and how many numbers a tuple has."""

    kind: Kind
    optional: bool = False
    choices: tuple[Any, ...] = ()
    length: int = 0


_SCALARS: dict[Any, Kind] = {bool: Kind.TOGGLE, int: Kind.INTEGER, float: Kind.NUMBER, str: Kind.TEXT}


def shape_of(view: FieldView) -> Shape:
    """The shape of a field.

    Raises:
        TypeError: no widget fits the declared type.
    """
    annotation: Any = view.info.annotation
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        members = [arg for arg in get_args(annotation) if arg is not type(None)]
        optional = len(members) < len(get_args(annotation))
        annotation = members[0] if len(members) == 1 else annotation
    if annotation in _SCALARS:
        return Shape(_SCALARS[annotation], optional)
    if get_origin(annotation) is Literal:
        return Shape(Kind.CHOICE, optional, choices=get_args(annotation))
    if get_origin(annotation) is tuple and Ellipsis not in get_args(annotation):
        return Shape(Kind.NUMBERS, optional, length=len(get_args(annotation)))
    raise TypeError(f"No widget fits {view.path}: {annotation}; add a kind to marsseg.ui.kinds.")


def range_text(info: FieldInfo) -> str:
    """The declared bounds in words: "1 to 8", "0 to below 1", "above 0"; empty if there are none."""
    low = high = ""
    for bound in info.metadata:
        if isinstance(bound, Ge):
            low = _number(bound.ge)
        elif isinstance(bound, Gt):
            low = f"above {_number(bound.gt)}"
        elif isinstance(bound, Le):
            high = _number(bound.le)
        elif isinstance(bound, Lt):
            high = f"below {_number(bound.lt)}"
    if low and high:
        return f"{low} to {high}"
    if low:
        return low if low.startswith("above") else f"{low} or more"
    if high:
        return high if high.startswith("below") else f"{high} or less"
    return ""


def decimals_needed(value: float, declared: str | None) -> str:
    """A printf format that shows all digits of `value`, and at least those of the declared format.

    A field that shows 0.00 while it holds 0.00003 would lie.
    """
    match = re.search(r"\.(\d+)f", declared or "%.2f")
    fewest = int(match.group(1)) if match else 2
    digits = f"{abs(value):.12f}".rstrip("0").partition(".")[2]
    return f"%.{max(fewest, len(digits))}f"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
