"""Where everything stands in the drawing of a network, in units of its view box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marsseg.config import ModelConfig
from marsseg.config.anatomy import deepest, excites, filters_at, has_pyramid, supervised_stages
from marsseg.config.sizing import LevelSize, network_size

WIDTH = 440
BLOCK_WIDTH = 92
BLOCK_HEIGHT = 38
TOP = 46
PYRAMID = "pyramid"

_ROW = 68
_GAP_TO_PYRAMID = 20
_INSET = 100  # how far the lowest encoder block stands from the left edge
_INSET_OF_ALL_SCALES = 60  # between the blocks, lines from every finer level need room


@dataclass(frozen=True, slots=True)
class Box:
    """A block and its place.

    Args:
        name: its stage, as sizes call it, or "pyramid".
        level: 1 … depth + 1.
        size: of its stage.
        channels: that it gives.
        x, y: of its upper left corner.
        excited: whether it has Squeeze-and-Excitation.
        predicts: whether it predicts a mask of its own while training.
    """

    name: str
    level: int
    size: LevelSize
    channels: int
    x: float
    y: float
    excited: bool = False
    predicts: bool = False

    @property
    def right(self) -> float:
        """Where it ends on the right."""
        return self.x + BLOCK_WIDTH

    @property
    def bottom(self) -> float:
        """Where it ends below."""
        return self.y + BLOCK_HEIGHT

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + BLOCK_WIDTH / 2, self.y + BLOCK_HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Layout:
    """The blocks of a network.

    Args:
        encoder: finest first; the last one is the bottleneck.
        pyramid: what follows the bottleneck, if anything does.
        decoder: coarsest first.
        step: how far a level stands further in than the one above.
    """

    encoder: tuple[Box, ...]
    pyramid: Box | None
    decoder: tuple[Box, ...]
    step: float

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All of them, in the order in which an image passes through."""
        return (*self.encoder, *self.lowest[1:], *self.decoder)

    @property
    def lowest(self) -> tuple[Box, ...]:
        """The bottleneck, and its pyramid."""
        return (self.encoder[-1], self.pyramid) if self.pyramid else (self.encoder[-1],)

    @property
    def bottom(self) -> float:
        """Where the lowest block ends."""
        return self.lowest[-1].bottom


def lay_out(config: ModelConfig, height: int, width: int) -> Layout:
    """Put the encoder down the left, the bottleneck in the middle, the decoder up the right."""
    sizes = network_size(config, height, width).levels
    inset = _INSET_OF_ALL_SCALES if config.architecture == "unet3plus" else _INSET
    step = inset / max(1, config.depth - 1)
    supervised = supervised_stages(config)[1:]
    down, up = sizes[: deepest(config)], sizes[deepest(config) : -1]  # the last is the head
    encoder = tuple(_encoder_box(config, size, level, step) for level, size in enumerate(down, start=1))
    decoder = tuple(_decoder_box(config, size, step, size.name in supervised) for size in up)
    pyramid = _pyramid_box(encoder[-1], "bottleneck" in supervised) if has_pyramid(config) else None
    return Layout(encoder, pyramid, decoder, step)


def _encoder_box(config: ModelConfig, size: LevelSize, level: int, step: float) -> Box:
    is_lowest = level == deepest(config)
    x = (WIDTH - BLOCK_WIDTH) / 2 if is_lowest else 4 + (level - 1) * step
    channels = filters_at(config, level)  # at the bottleneck, the size's are those after the pyramid
    return Box(size.name, level, size, channels, x, _row(level), excites(config, level))


def _decoder_box(config: ModelConfig, size: LevelSize, step: float, predicts: bool) -> Box:
    level = int(size.name.rpartition("_")[2])
    x = WIDTH - BLOCK_WIDTH - 4 - (level - 1) * step
    return Box(size.name, level, size, size.channels, x, _row(level), excites(config, level), predicts)


def _pyramid_box(bottleneck: Box, predicts: bool) -> Box:
    size, y = bottleneck.size, bottleneck.bottom + _GAP_TO_PYRAMID
    return Box(PYRAMID, bottleneck.level, size, size.channels, bottleneck.x, y, predicts=predicts)


def _row(level: int) -> float:
    return TOP + (level - 1) * _ROW


def places_of_branches(layout: Layout) -> Sequence[float]:
    """Where the features of encoder levels 1, 2, … branch off to all lower decoder levels: x of each line."""
    lowest_left, lowest_right = layout.encoder[-2].right + 34, layout.decoder[0].x - 22
    count = len(layout.decoder) - 1
    spacing = min(28.0, (lowest_right - lowest_left) / max(1, count - 1))
    return [lowest_left + (count - 1 - place) * spacing for place in range(count)]
