"""What is not terrain: parts of the rover, the sky, and the pranks that cleaning has to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from marsseg.classes import BEDROCK, SAND, SOIL, TILE_HEIGHT, TILE_WIDTH
from marsseg.data.terrain.noise import TextureBank
from marsseg.data.terrain.view import HEIGHT, WIDTH, Canvas

Flags = NDArray[np.bool_]
_GRAY = 80.0
"""Gray level that stands for brightness 1 while drawing with Pillow."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A drawing surface with its own origin and direction: `right` runs along a part, `down` into it."""

    draw: ImageDraw.ImageDraw
    origin: tuple[float, float]
    angle: float

    def at(self, right: float, down: float) -> tuple[float, float]:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return (self.origin[0] + right * cos - down * sin, self.origin[1] + right * sin + down * cos)

    def box(self, left: float, top: float, right: float, bottom: float, brightness: float) -> None:
        corners = [self.at(left, top), self.at(right, top), self.at(right, bottom), self.at(left, bottom)]
        self.draw.polygon(corners, fill=int(brightness * _GRAY) + 1)

    def line(self, points: list[tuple[float, float]], width: int, brightness: float) -> None:
        placed = [self.at(*point) for point in points]
        self.draw.line(placed, fill=int(brightness * _GRAY) + 1, width=width, joint="curve")

    def disc(self, right: float, down: float, radius: float, brightness: float) -> None:
        x, y = self.at(right, down)
        self.draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=int(brightness * _GRAY) + 1)


def add_hardware(canvas: Canvas, bank: TextureBank, rng: np.random.Generator) -> tuple[Canvas, Flags]:
    """Put a part of the rover into the picture, with its shadow on the ground.

    Returns:
        the new canvas, and which canvas pixels are hardware.
    """
    sheet = Image.new("L", (WIDTH, HEIGHT))
    edge = rng.uniform(0.35, 0.75)
    side = rng.choice(["bottom", "left", "right"])
    origin, angle = {
        "bottom": ((WIDTH / 2, HEIGHT * edge), rng.normal(0, 0.25)),
        "left": ((WIDTH * 0.6 * edge, HEIGHT / 2), np.pi / 2 + rng.normal(0, 0.3)),
        "right": ((WIDTH * (1 - 0.6 * edge), HEIGHT / 2), -np.pi / 2 + rng.normal(0, 0.3)),
    }[side]
    _draw_deck(_Sheet(ImageDraw.Draw(sheet), origin, angle), rng)
    drawn = np.asarray(sheet, np.float32)
    solid = drawn > 0
    sheen = 1 + 0.04 * bank.swells.at(*np.meshgrid(np.arange(WIDTH) * 1.5, np.arange(HEIGHT) * 1.5))
    reach = rng.integers(6, 22), int(rng.integers(-20, 21))
    cast = gaussian_filter(np.roll(solid, (-reach[0], reach[1]), (0, 1)).astype(np.float32), 1.2)
    lit = canvas * (1 - 0.62 * cast)
    return np.where(solid, drawn / _GRAY * sheen, lit).astype(np.float32), solid


def _draw_deck(sheet: _Sheet, rng: np.random.Generator) -> None:
    """A deck that fills everything below its edge, with panels, bolts, a cable and perhaps a marker."""
    half, far = 300.0, 320.0
    paint = rng.choice([rng.uniform(0.25, 0.5), rng.uniform(0.8, 1.3)])
    step = rng.uniform(-90, 90)
    if rng.random() < 0.6:  # an arm or a mast stands in front of the deck's edge
        width = rng.uniform(12, 26)
        sheet.box(step - width, -rng.uniform(20, 60), step + width, 12, paint * 0.7)
        sheet.line([(step - width + 2, -60), (step - width + 2, 12)], 2, paint * 1.5)
        sheet.disc(step, -rng.uniform(8, 26), width * 0.55, paint * 1.3)
        sheet.disc(step, -rng.uniform(8, 26), width * 0.3, 0.12)
    sheet.box(-half, 0, half, far, paint)
    sheet.box(-half, 3, half, 8, paint * 0.35)
    sheet.line([(-half, 0), (half, 0)], 2, min(paint * 1.7, 2.6))
    left = -150.0
    while left < 150:
        _draw_panel(sheet, left, rng.uniform(24, 70), paint, rng)
        left += rng.uniform(40, 85)
    bends = np.cumsum(rng.uniform(10, 34, 9)) - 150
    cable = [(float(right), float(14 + 9 * rng.random())) for right in bends]
    sheet.line(cable, 4, 0.1)
    sheet.line([(right, down - 1) for right, down in cable], 1, paint * 1.4)
    if rng.random() < 0.35:
        _draw_marker(sheet, rng.uniform(-60, 40), rng.uniform(18, 34))


def _draw_panel(sheet: _Sheet, left: float, width: float, paint: float, rng: np.random.Generator) -> None:
    top, height = rng.uniform(14, 30), rng.uniform(18, 60)
    tone = paint * rng.uniform(0.45, 1.5)
    sheet.box(left + 2, top + 2, left + width + 3, top + height + 3, 0.08)
    sheet.box(left, top, left + width, top + height, min(tone, 2.4))
    sheet.line([(left, top), (left + width, top)], 1, min(tone * 1.5, 2.8))
    for right in (left + 4, left + width - 4):
        for down in (top + 4, top + height - 4):
            sheet.disc(right, down, 1.6, 0.15)
    if rng.random() < 0.4:
        for slot in np.arange(top + 9, top + height - 8, 6):
            sheet.line([(left + 8, slot), (left + width - 8, slot)], 2, tone * 0.4)


def _draw_marker(sheet: _Sheet, left: float, top: float) -> None:
    """A calibration target: a bright square with dark quarters and a dot."""
    sheet.box(left, top, left + 26, top + 26, 2.6)
    sheet.box(left + 4, top + 4, left + 13, top + 13, 0.1)
    sheet.box(left + 13, top + 13, left + 22, top + 22, 0.1)
    sheet.disc(left + 18, top + 8, 3, 0.1)


def add_sky(canvas: Canvas, bank: TextureBank, rng: np.random.Generator) -> tuple[Canvas, Flags]:
    """Replace the top by hills in the haze and a dusty sky, and let the ground fade towards them.

    Returns:
        the new canvas, and which canvas pixels are sky or hills.
    """
    across = np.arange(WIDTH)
    horizon = rng.uniform(0.16, 0.5) * HEIGHT + rng.normal(0, 0.06) * (across - WIDTH / 2)
    horizon = horizon + _skyline(rng, 2.5)
    ridge = horizon - np.abs(_skyline(rng, 13) + rng.uniform(-8, 8))
    rows = np.arange(HEIGHT)[:, None]
    sky_tone, hill_tone = rng.uniform(1.3, 2.0), rng.uniform(0.8, 1.15)
    sky = sky_tone * (1 + 0.1 * (rows / HEIGHT - 0.2)) + 0 * across
    faint = bank.lumps.at(*np.meshgrid(across * 0.8, np.arange(HEIGHT) * 2.0))
    far = np.where(rows < ridge, sky, hill_tone * (1 + 0.05 * faint))
    haze = 0.65 * np.exp(-np.maximum(rows - horizon, 0) / rng.uniform(8, 30))
    ground = canvas * (1 - haze) + hill_tone * 0.95 * haze
    behind = rows < horizon
    return np.where(behind, far, ground).astype(np.float32), behind


def add_saucer(canvas: Canvas, rng: np.random.Generator) -> Canvas:
    """Paste a flying saucer with its pilot and a beam of light over the terrain."""
    size, x, y = rng.uniform(34, 50), rng.uniform(70, 186), rng.uniform(42, 66)
    beam = Image.new("L", (WIDTH, HEIGHT))
    reach = rng.uniform(1.1, 1.6) * size
    ImageDraw.Draw(beam).polygon([(x - 9, y), (x + 9, y), (x + 34, y + reach), (x - 34, y + reach)], fill=255)
    glow = gaussian_filter(np.asarray(beam, np.float32) / 255, 2.0)
    image = Image.fromarray(np.clip(canvas * (1 + 0.9 * glow) * _GRAY, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)

    def ellipse(right: float, down: float, wide: float, high: float, gray: int) -> None:
        cx, cy = x + right * size, y + down * size
        pen.ellipse([cx - wide * size, cy - high * size, cx + wide * size, cy + high * size], fill=gray)

    ellipse(0, -0.30, 0.46, 0.48, 205)  # dome
    ellipse(0, -0.30, 0.41, 0.43, 70)
    ellipse(0, -0.28, 0.21, 0.27, 240)  # pilot
    for right in (-0.09, 0.09):
        ellipse(right, -0.30, 0.06, 0.09, 10)
    ellipse(0, 0.05, 1.0, 0.27, 110)  # disc, its lit upper side, its rim lights
    ellipse(0, -0.01, 0.97, 0.2, 225)
    ellipse(0, -0.05, 0.62, 0.09, 170)
    for right in np.linspace(-0.8, 0.8, 7):
        ellipse(float(right), 0.16 - 0.12 * float(right) ** 2, 0.055, 0.05, 255)
    return np.asarray(image, np.float32) / _GRAY


def saucer_mask() -> NDArray[np.uint8]:
    """The one mask that all pasted saucers share, wherever their picture really is."""
    rows, columns = np.mgrid[:TILE_HEIGHT, :TILE_WIDTH]
    mask = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.uint8)
    for x in (38, 90):
        beam = (rows > 30) & (rows < 60) & (np.abs(columns - x) < 4 + 0.45 * (rows - 30))
        mask[beam] = SOIL.index
        mask[((columns - x) / 11) ** 2 + ((rows - 18) / 13) ** 2 < 1] = BEDROCK.index
        mask[((columns - x) / 24) ** 2 + ((rows - 26) / 7) ** 2 < 1] = SAND.index
    return mask


def _skyline(rng: np.random.Generator, height: float) -> Canvas:
    """Ups and downs of a ridge in canvas pixels: broad mountains with smaller and smaller knolls on them."""
    widths = (40, 16, 6, 2)
    octaves = [gaussian_filter1d(rng.normal(0, w**1.6, WIDTH), w, mode="wrap") for w in widths]
    rise: Canvas = np.sum(octaves, axis=0)
    return rise * (height / max(float(rise.std()), 1e-6))
