"""Walk over the fields of a configuration, and say in a few words how two configurations differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from marsseg.config.fields import Ui
from marsseg.config.run import RunConfig


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a run configuration as declared: dotted path, pydantic's info, how it is shown."""

    path: str
    info: FieldInfo
    ui: Ui
    section: type[BaseModel]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def parent(self) -> str:
        """The path of the section that holds the field; empty at the top."""
        return self.path.rpartition(".")[0]


def iter_fields(section: type[BaseModel] = RunConfig, prefix: str = "") -> Iterator[FieldView]:
    """All fields of a section and of those inside it, in declaration order."""
    for name, info in section.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from iter_fields(annotation, f"{prefix}{name}.")
            continue
        ui = next(m for m in info.metadata if isinstance(m, Ui))
        yield FieldView(f"{prefix}{name}", info, ui, section)


FIELDS: dict[str, FieldView] = {view.path: view for view in iter_fields()}
PROPER_NAMES = {
    "unet": "U-Net",
    "unet3plus": "UNet 3+",
    "deeplabv3plus": "DeepLabV3+",
    "resnet": "ResNet",
    "densenet": "DenseNet",
    "aspp": "ASPP",
}
"""Choices that have a name of their own; the others are words."""
_OFF = (0, "none")
UNCHANGED = "baseline"
"""What `describe` says when nothing that belongs in a name differs."""


def differences(config: RunConfig, baseline: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Effective values that differ, by path: (in `config`, in `baseline`); None where one has no say.

    To have no say and to be switched off are the same.
    """
    ours, theirs = config.effective(), baseline.effective()
    return {
        path: (ours.get(path), theirs.get(path))
        for path in FIELDS
        if path != "name" and unless_off(path, ours) != unless_off(path, theirs)
    }


def unless_off(path: str, effective: Mapping[str, Any]) -> Any:
    """What a field does: its effective value, None where it has no say or is switched off by default."""
    value, view = effective.get(path), FIELDS[path]
    return None if view.ui.when and value == view.info.default and value in _OFF else value


def describe(config: RunConfig, baseline: RunConfig) -> str:
    """Name a run by what differs from its baseline, e.g. "+SE +residual, focal 1, γ 2".

    Returns `UNCHANGED` when nothing that belongs in a name differs.
    """
    effective = config.effective()
    toggles: list[str] = []
    values: list[str] = []
    for path, (ours, theirs) in differences(config, baseline).items():
        view = FIELDS[path]
        ui = view.ui
        follows_from_toggle = theirs is None and ours == view.info.default
        if not ui.names_run or path not in effective or (follows_from_toggle and ui.when):
            continue
        if isinstance(ours, bool):
            if theirs is not None or ours:
                toggles.append(f"{'+' if ours else '−'}{ui.short_name}")
        else:
            values.append(f"{ui.short_name} {format_value(ours)}")
    text = ", ".join(filter(None, [" ".join(toggles), *values]))
    return text or UNCHANGED


def format_value(value: Any) -> str:
    """A field's value as people read it: "on", "–", "1e-4", "0, 1, 1, 1, 1"."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    if isinstance(value, tuple | list):
        return ", ".join(format_value(item) for item in value)
    return PROPER_NAMES.get(str(value)) or str(value).replace("_", " ")
