from __future__ import annotations

import pytest

from marsseg.config import iter_fields
from marsseg.ui.form_layout import COLUMNS, cells, rows, section_of

SECTIONS = ["model", "loss", "data", "augment", "train"]


def section_views(section):
    return [view for view in iter_fields() if section_of(view.path) == section]


@pytest.mark.parametrize("section", SECTIONS)
def test_rows_hold_every_field_once(section):
    views = section_views(section)
    placed = [view.path for row in rows(views) for view in (*row.leaders, *row.dependents)]
    assert sorted(placed) == sorted(view.path for view in views)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_dependent_field_stands_below_its_leader(section):
    for row in rows(section_views(section)):
        assert not any(view.ui.when for view in row.leaders)
        above = {(view.parent, view.name) for view in row.leaders}
        for view in row.dependents:
            assert (view.parent, view.ui.conditions[0].field) in above
            above.add((view.parent, view.name))


@pytest.mark.parametrize("section", SECTIONS)
def test_only_the_last_row_may_have_room_left(section):
    filled = [sum(map(cells, row.leaders)) for row in rows(section_views(section))]
    assert filled[:-1] == [COLUMNS] * (len(filled) - 1)
    assert filled[-1] <= COLUMNS


def test_the_name_belongs_to_no_section():
    assert section_of("name") == ""
    assert section_of("loss.class_weights.mode") == "loss"
