"""How large a network is, counted from its configuration alone: the UI process never loads TensorFlow."""

from marsseg.config.sizing.network import NetworkSize, network_size
from marsseg.config.sizing.tally import LevelSize

__all__ = ["LevelSize", "NetworkSize", "network_size"]
