"""How a section's fields stand in rows: leaders side by side, and below them what depends on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from marsseg.config import FieldView
from marsseg.config.describe import FIELDS
from marsseg.ui.kinds import Kind, shape_of

_ELSEWHERE = {"data.flip_horizontal": "augment", "data.flip_vertical": "augment"}
"""Fields that people look for beside their like, and not where they are declared."""
COLUMNS = 2
"""Wide enough for a label, its unit and what a changed field held before; fits beside the preview."""


@dataclass(frozen=True, slots=True)
class Row:
    """Fields that always show, side by side, and those that matter for some values of one of them.

    Leaders never move. Dependents come and go below their leader, so that no hole is kept for them.
    """

    leaders: tuple[FieldView, ...]
    dependents: tuple[FieldView, ...]


def section_of(path: str) -> str:
    """The section of the form that shows a field, e.g. "loss" for loss.dice; empty for the name."""
    return _ELSEWHERE.get(path, path.partition(".")[0] if "." in path else "")


def rows(views: Sequence[FieldView]) -> list[Row]:
    """Full rows of leaders as nearly in declaration order as the wide ones allow."""
    paths = {view.path for view in views}
    dependents: dict[str, list[FieldView]] = {}
    leaders: list[FieldView] = []
    for view in views:
        leader = _leader_path(view, paths)
        if leader:
            dependents.setdefault(leader, []).append(view)
        else:
            leaders.append(view)
    return [
        Row(tuple(row), tuple(each for view in row for each in dependents.get(view.path, ())))
        for row in _filled(leaders)
    ]


def cells(view: FieldView) -> int:
    """How many cells of its row a field takes: long choices that are all on show, and tuples, need all."""
    is_wide = shape_of(view).kind is Kind.NUMBERS or (is_spread_out(view) and _letters(view) > 16)
    return COLUMNS if is_wide else 1


def is_spread_out(view: FieldView) -> bool:
    """Whether a choice is a row of buttons; many or long choices become a list to open."""
    shape = shape_of(view)
    return shape.kind is Kind.CHOICE and len(shape.choices) <= 4 and _letters(view) <= 32


def _leader_path(view: FieldView, paths: Collection[str]) -> str:
    """The field that `view` stands under: the one that it depends on, or what that depends on in turn."""
    leader = ""
    while view.ui.conditions and (path := f"{view.parent}.{view.ui.conditions[0].field}") in paths:
        leader, view = path, FIELDS[path]
    return leader


def _filled(leaders: Sequence[FieldView]) -> list[list[FieldView]]:
    """Each row takes the next field that still fits, so that a wide one leaves no hole before it."""
    waiting, filled = list(leaders), []
    while waiting:
        row: list[FieldView] = []
        for view in tuple(waiting):
            if sum(map(cells, (*row, view))) <= COLUMNS:
                row.append(view)
                waiting.remove(view)
        filled.append(row)
    return filled


def _letters(view: FieldView) -> int:
    return sum(len(str(choice)) for choice in shape_of(view).choices)
