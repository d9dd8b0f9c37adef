"""What a field says about itself beside its type and bounds: label, help, unit, when it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


class Section(BaseModel):
    """Base of all configuration: immutable, no unknown fields, no silent conversions."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )


@dataclass(frozen=True, slots=True)
class When:
    """A field matters only while its sibling `field` has one of `values`, or is truthy if none are named.

    Args:
        unless: values of the sibling with which the field does not matter, whatever `values` says.
    """

    field: str
    values: tuple[Any, ...] = ()
    unless: tuple[Any, ...] = ()

    def holds(self, section: BaseModel | Mapping[str, Any]) -> bool:
        """Whether the sibling's value in `section` (a model, or raw form values) lets the field matter."""
        value = getattr(section, self.field) if isinstance(section, BaseModel) else section.get(self.field)
        if value in self.unless:
            return False
        return value in self.values if self.values else bool(value)


@dataclass(frozen=True, slots=True)
class Ui:
    """How a field is shown.

    Args:
        label: what stands above the widget.
        help: one or two sentences on hover: what it does, what to try.
        unit: shown behind the label, e.g. "epochs".
        short: how a run's name calls the field; the label in lower case unless told otherwise.
        step: what one press of + or - changes.
        number_format: printf format of a number widget.
        when: condition under which the field matters at all; of several, one must hold.
        names_run: whether a difference in this field belongs in a run's name.
        is_later: the field came after the first stored runs. They behave as with its default, which is
            therefore left out of fingerprints.
        in_form: whether it is a widget; what combines finished runs is chosen among them instead.
    """

    label: str
    help: str
    unit: str = ""
    short: str = ""
    step: float | None = None
    number_format: str | None = None
    when: When | tuple[When, ...] | None = None
    names_run: bool = True
    is_later: bool = False
    in_form: bool = True

    @property
    def short_name(self) -> str:
        """The name used in descriptions of a run."""
        return self.short or self.label.lower()

    @property
    def conditions(self) -> tuple[When, ...]:
        """The alternatives of `when`; the first names the field that this one belongs to."""
        if self.when is None:
            return ()
        return self.when if isinstance(self.when, tuple) else (self.when,)


@cache
def ui_of(section: type[BaseModel], name: str) -> Ui:
    """How a field of a section is shown."""
    return next(m for m in section.model_fields[name].metadata if isinstance(m, Ui))


def matters(section: type[BaseModel], name: str, values: BaseModel | Mapping[str, Any]) -> bool:
    """Whether a field has a say: one of its conditions holds, and the field in that condition has a say too.

    Args:
        section: the type that declares the field.
        values: the section itself, or raw form values by field name.
    """
    conditions = ui_of(section, name).conditions
    return not conditions or any(
        condition.holds(values) and matters(section, condition.field, values) for condition in conditions
    )


def refuse(problems: Mapping[str, str]) -> None:
    """Refuse what breaks rules that span fields, all of it at once; does nothing where there are no problems.

    Args:
        problems: one sentence a rule, by the field that a person would mend.

    Raises:
        ValidationError: an error of type "rule" for each problem, which pydantic adds to its own.
    """
    if problems:
        raise ValidationError.from_exception_data(
            "rules", [_broken(*problem) for problem in problems.items()]
        )


def _broken(field: str, sentence: str) -> InitErrorDetails:
    error = PydanticCustomError("rule", "{sentence}", {"field": field, "sentence": sentence})
    return InitErrorDetails(type=error, input=None)
