"""How a section's fields stand in rows: a field and those that depend on it share one."""

from __future__ import annotations

from collections.abc import Sequence

from marsseg.config import FieldView
from marsseg.ui.kinds import Kind, shape_of

COLUMNS = 3


def section_of(path: str) -> str:
    """The top-level section of a field, e.g. "loss" for loss.class_weights.mode; empty for the name."""
    return path.partition(".")[0] if "." in path else ""


def rows(views: Sequence[FieldView]) -> list[list[FieldView]]:
    """Fields in rows of at most three cells, in declaration order.

    Which rows there are follows from the declaration alone, so that nothing else moves when a
    dependent field appears.
    """
    arranged: list[list[FieldView]] = []
    singles: list[FieldView] = []
    for group in _groups(views):
        if len(group) == 1 and not _fills_a_row(group[0]):
            if sum(map(cells, singles)) + cells(group[0]) > COLUMNS:
                arranged.append(singles)
                singles = []
            singles.append(group[0])
            continue
        if singles:
            arranged.append(singles)
            singles = []
        arranged.extend(_split_wide(group))
    return [*arranged, singles] if singles else arranged


def cells(view: FieldView) -> int:
    """How many cells of its row a field takes: choices that are all on show need two."""
    return 2 if is_spread_out(view) and _letters(view) > 12 else 1


def is_spread_out(view: FieldView) -> bool:
    """Whether a choice is a row of buttons; many or long choices become a list to open."""
    shape = shape_of(view)
    return shape.kind is Kind.CHOICE and len(shape.choices) <= 4 and _letters(view) <= 32


def _groups(views: Sequence[FieldView]) -> list[list[FieldView]]:
    groups: dict[str, list[FieldView]] = {}
    for view in views:
        leader = f"{view.parent}.{view.ui.when.field}" if view.ui.when else view.path
        groups.setdefault(leader if leader in groups else view.path, []).append(view)
    return list(groups.values())


def _split_wide(group: list[FieldView]) -> list[list[FieldView]]:
    wide = [view for view in group if _fills_a_row(view)]
    narrow = [view for view in group if not _fills_a_row(view)]
    return [part for part in (narrow, *([view] for view in wide)) if part]


def _fills_a_row(view: FieldView) -> bool:
    return shape_of(view).kind is Kind.NUMBERS


def _letters(view: FieldView) -> int:
    return sum(len(str(choice)) for choice in shape_of(view).choices)
