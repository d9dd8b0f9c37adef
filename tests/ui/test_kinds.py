from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from marsseg.config import Ui, iter_fields
from marsseg.config.fields import Section
from marsseg.ui.kinds import Kind, decimals_needed, range_text, shape_of


class Odd(Section):
    either: Annotated[int | str, Ui("Either", "")] = 0
    many: Annotated[tuple[int, ...], Ui("Many", "")] = ()


class Bounded(Section):
    both: Annotated[int, Field(ge=1, le=1000), Ui("Both", "")] = 1
    half_open: Annotated[float, Field(ge=0, lt=1), Ui("Half open", "")] = 0.0
    low: Annotated[float, Field(gt=0), Ui("Low", "")] = 1.0
    high: Annotated[int, Field(le=5), Ui("High", "")] = 1
    none: Annotated[int, Ui("None", "")] = 1


def test_every_field_of_a_run_has_a_widget():
    assert {shape_of(view).kind for view in iter_fields() if view.ui.in_form} == set(Kind)


@pytest.mark.parametrize("view", list(iter_fields(Odd)), ids=lambda view: view.path)
def test_a_type_without_a_widget_is_named(view):
    with pytest.raises(TypeError, match=view.path):
        shape_of(view)


def test_ranges_in_words():
    texts = {view.path: range_text(view.info) for view in iter_fields(Bounded)}
    assert texts == {
        "both": "1 to 1,000",
        "half_open": "0 to below 1",
        "low": "above 0",
        "high": "5 or less",
        "none": "",
    }


@pytest.mark.parametrize(
    ("value", "declared", "shown"),
    [
        (0.25, None, "0.25"),
        (3e-5, None, "0.00003"),
        (1e-4, "%.6f", "0.000100"),
        (0.1 + 0.2, "%.1f", "0.3"),
        (0.999999, "%.2f", "0.999999"),
    ],
)
def test_a_number_field_never_hides_digits(value, declared, shown):
    assert decimals_needed(value, declared) % value == shown
