"""How bright a picture is beside a network's training tiles, and what to do when it is far off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FAR_OFF = 1.5
"""In standard deviations of the training pixels. Frames of the rover itself lie within; beyond, networks
here took nearly everything for one class."""

_FLATTEST = 0.25
"""Contrast is raised fourfold at most: in a nearly uniform picture the rest would be noise."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Mean and standard deviation of gray levels, on a 0–1 scale."""

    mean: float
    std: float


def levels_of(image: NDArray[np.uint8]) -> Levels:
    """Measure a picture's gray levels."""
    counts = Image.fromarray(image).histogram()  # NumPy would make eight bytes of each pixel first
    gray = np.arange(256) / 255
    mean = float(np.average(gray, weights=counts))
    return Levels(mean, float(np.sqrt(np.average((gray - mean) ** 2, weights=counts))))


def is_far_off(picture: Levels, trained: Levels) -> bool:
    """Whether a picture is so bright or dark beside its training tiles that a network is out of its depth."""
    return abs(picture.mean - trained.mean) > FAR_OFF * trained.std


def matching(picture: Levels, trained: Levels) -> Levels:
    """What to standardise a picture by so that the network sees the brightness and contrast of its tiles."""
    return Levels(picture.mean, max(picture.std, _FLATTEST * trained.std))
