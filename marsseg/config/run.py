"""A whole run configuration, its effective form and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from marsseg.config.augment import AugmentConfig
from marsseg.config.combine import CombineConfig
from marsseg.config.data import DataConfig
from marsseg.config.fields import Section, Ui, matters, refuse
from marsseg.config.loss import LossConfig
from marsseg.config.model import ModelConfig
from marsseg.config.train import TrainConfig

REPEAT_FIELDS = frozenset({"name", "train.seed", "data.fold", "combine.members"})
"""Fields in which runs may differ and still be repeats of each other."""
MAX_REPEATS = 10
"""How often one plan may run a configuration."""


class RunConfig(Section):
    """Everything that decides what a run does."""

    name: Annotated[
        str,
        Field(max_length=200),
        Ui("Name", "Left empty, the run is named by what differs from its preset.", names_run=False),
    ] = ""
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    combine: CombineConfig = CombineConfig()

    @model_validator(mode="after")
    def _background_can_be_learned(self) -> RunConfig:
        if self.data.target == "background" and not self.loss.class_weights.background_counts:
            refuse(
                {
                    "loss.class_weights.background": "A weight of 0 leaves background out of the loss, and "
                    "background is all that this run is to learn; use 1."
                }
            )
        return self

    @property
    def own_fold(self) -> int | None:
        """Which of its folds validates it, counted from 0; None without folds, and for a mean of several."""
        is_mean_of_several = self.combine.rule == "mean" and len(self.combine.members) > 1
        return self.data.fold if self.data.folds and not is_mean_of_several else None

    def flat(self) -> dict[str, Any]:
        """All fields by dotted path, in declaration order."""
        return flatten(self)

    def effective(self) -> dict[str, Any]:
        """`flat()` without the fields that do not matter here, such as the slope of an unused activation."""
        return flatten(self, only_effective=True)

    def fingerprint(self, dataset_identity: str) -> str:
        """Sixteen hex digits that repeats of one configuration on one version of a dataset share.

        Args:
            dataset_identity: what stands for the tiles themselves instead of the dataset's name,
                see `DatasetRecord.identity`.
        """
        canonical = {k: v for k, v in _without_later_defaults(self).items() if k not in REPEAT_FIELDS}
        canonical["data.dataset"] = dataset_identity
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """The configuration as indented JSON, as `parse_config` reads it."""
        return self.model_dump_json(indent=2)

    def with_values(self, values: dict[str, Any]) -> RunConfig:
        """A validated copy with other values at dotted paths.

        Raises:
            ConfigError: a path is unknown or a value does not fit.
        """
        from marsseg.config.parsing import parse_values

        return parse_values({**self.flat(), **values})


def flatten(section: BaseModel, prefix: str = "", *, only_effective: bool = False) -> dict[str, Any]:
    """Field values of a section by dotted path; a tuple stays one value."""
    flat: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            flat |= flatten(value, f"{prefix}{name}.", only_effective=only_effective)
            continue
        if only_effective and not matters(type(section), name, section):
            continue
        flat[f"{prefix}{name}"] = value
    return flat


def _without_later_defaults(config: RunConfig) -> dict[str, Any]:
    """The effective values, but for defaults of fields that the first stored runs did not have."""
    from marsseg.config.describe import FIELDS

    return {
        path: value
        for path, value in config.effective().items()
        if not (FIELDS[path].ui.is_later and value == FIELDS[path].info.default)
    }
