"""RunConfig and its parts: the single source of form, network, loss, store and terminal."""

from marsseg.config.augment import AugmentConfig
from marsseg.config.combine import CombineConfig
from marsseg.config.data import DataConfig
from marsseg.config.describe import FieldView, describe, differences, iter_fields
from marsseg.config.fields import Ui, When
from marsseg.config.idle import idle_settings
from marsseg.config.loss import ClassWeightConfig, LossConfig
from marsseg.config.model import ModelConfig
from marsseg.config.parsing import apply_overrides, parse_config, parse_values
from marsseg.config.run import RunConfig
from marsseg.config.train import TrainConfig

__all__ = [
    "AugmentConfig",
    "ClassWeightConfig",
    "CombineConfig",
    "DataConfig",
    "FieldView",
    "LossConfig",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "Ui",
    "When",
    "apply_overrides",
    "describe",
    "differences",
    "idle_settings",
    "iter_fields",
    "parse_config",
    "parse_values",
]
