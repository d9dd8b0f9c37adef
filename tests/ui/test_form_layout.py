from __future__ import annotations

import pytest

from marsseg.config import iter_fields
from marsseg.ui.form_layout import COLUMNS, cells, rows, section_of

SECTIONS = ["model", "loss", "data", "train"]


def section_views(section):
    return [view for view in iter_fields() if section_of(view.path) == section]


@pytest.mark.parametrize("section", SECTIONS)
def test_rows_hold_every_field_once_and_in_order_of_their_leaders(section):
    views = section_views(section)
    placed = [view.path for row in rows(views) for view in row]
    assert sorted(placed) == sorted(view.path for view in views)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_dependent_field_stands_in_its_leaders_row(section):
    by_path = {view.path: row for row in rows(section_views(section)) for view in row}
    for path, row in by_path.items():
        view = next(view for view in row if view.path == path)
        if view.ui.when and len(row) > 1:
            assert row[0].name == view.ui.when.field


@pytest.mark.parametrize("section", SECTIONS)
def test_rows_of_independent_fields_fit(section):
    for row in rows(section_views(section)):
        if not any(view.ui.when for view in row):
            assert sum(map(cells, row)) <= COLUMNS


def test_the_name_belongs_to_no_section():
    assert section_of("name") == ""
    assert section_of("loss.class_weights.mode") == "loss"
