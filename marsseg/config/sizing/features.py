"""Features without numbers: how large they are, and which input rows stand behind each of their rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Features:
    """What one layer hands to the next.

    Args:
        channels: of each pixel.
        height: rows for one tile.
        width: columns for one tile.
        first: first input row behind each row, for a probe image much taller than a tile.
        last: last such row.
    """

    channels: int
    height: int
    width: int
    first: np.ndarray
    last: np.ndarray

    @property
    def pixels(self) -> int:
        """Rows × columns."""
        return self.height * self.width

    @property
    def receptive_field(self) -> int:
        """Most input rows behind any row."""
        return int((self.last - self.first).max()) + 1

    def convolved(self, channels: int, size: int, dilation: int = 1) -> Features:
        """Behind a convolution of odd size that keeps height and width."""
        reach = size // 2 * dilation
        rows = np.arange(len(self.first))
        first, last = (rows - reach).clip(0), (rows + reach).clip(max=len(rows) - 1)
        return replace(self, channels=channels, first=self.first[first], last=self.last[last])

    def pooled(self, edge: int) -> Features:
        """Behind pooling over windows of `edge` × `edge` side by side; the last may be incomplete."""
        height, width = -(-self.height // edge), -(-self.width // edge)
        first, last = self.first[::edge], self.last[edge - 1 :: edge]
        return replace(self, height=height, width=width, first=first, last=last)

    def repeated(self, channels: int) -> Features:
        """Behind a transposed convolution with kernel and stride 2."""
        first, last = self.first.repeat(2), self.last.repeat(2)
        return Features(channels, 2 * self.height, 2 * self.width, first, last)

    def resized(self, like: Features) -> Features:
        """Behind bilinear upsampling by a power of two, to the size of other features."""
        factor = len(like.first) // len(self.first)
        above = np.floor((np.arange(len(like.first)) + 0.5) / factor - 0.5).astype(int)
        first = self.first[above.clip(0)]
        last = self.last[(above + 1).clip(max=len(self.last) - 1)]
        return Features(self.channels, like.height, like.width, first, last)


def image(height: int, width: int, depth: int) -> Features:
    """A gray image, probed by so many rows that its middle knows no border at any level."""
    rows = np.arange(512 + 64 * 2**depth)
    return Features(1, height, width, rows, rows)


def joined(*branches: Features) -> Features:
    """Behind concatenation or another meeting of features of one size."""
    return replace(
        branches[0],
        channels=sum(branch.channels for branch in branches),
        first=np.min([branch.first for branch in branches], axis=0),
        last=np.max([branch.last for branch in branches], axis=0),
    )
