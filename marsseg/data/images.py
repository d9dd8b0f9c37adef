"""From the bytes of an uploaded picture to gray levels, with one sentence for whatever cannot be read.

Pictures come from strangers, so the pixel count is taken from the header before anything is decoded, and
only the decoders named here are ever tried.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from marsseg.errors import ImageError

SMALLEST_SIDE = 8
"""Pixels; less holds no terrain to speak of, and networks halve an image several times."""

# The plugin classes are opened by hand: Image.open would warn or raise about large pictures by limits of its
# own, which are global, before their size can be told to the person.
_PLUGINS: dict[bytes, tuple[str, type[ImageFile.ImageFile]]] = {
    b"\x89PNG\r\n\x1a\n": ("PNG", PngImagePlugin.PngImageFile),
    b"\xff\xd8\xff": ("JPEG", JpegImagePlugin.JpegImageFile),
    b"II*\x00": ("TIFF", TiffImagePlugin.TiffImageFile),
    b"MM\x00*": ("TIFF", TiffImagePlugin.TiffImageFile),
    b"II+\x00": ("TIFF", TiffImagePlugin.TiffImageFile),
    b"MM\x00+": ("TIFF", TiffImagePlugin.TiffImageFile),
}
_SENSOR_BITS = (8, 10, 12, 14, 16)
_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 258, 262, 274, 277  # TIFF 6.0 tags
_STRIPS_AND_TILES = ((273, 279), (324, 325))  # tags of offsets and byte counts
_WHITE_IS_ZERO = 0
_NUMPY_TURNS = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}

# What these libraries complain about reaches the person as an ImageError, or does not matter.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
for _noisy in ("tifffile", "PIL.TiffImagePlugin"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


def decode_gray(content: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Read a PNG, JPEG or TIFF picture as gray levels, upright.

    Colour becomes ITU-R 601 luma (0.299 R + 0.587 G + 0.114 B), transparency shows black, orientation tags
    are obeyed, and of a TIFF with several pages the first is read. Integers deeper than 8 bits are divided so
    that the smallest sensor depth (8, 10, 12, 14 or 16 bits) that holds the brightest pixel fills 0–255:
    16-bit pictures by 257, a 12-bit frame in a 16-bit file by 4095/255. Floats within 0–1 are multiplied by
    255, larger ones treated like integers. What is negative or beyond 16 bits is stretched from minimum to
    maximum. Pixels that are not finite become black.

    Args:
        content: the whole file.
        max_pixels: the most pixels to decode.

    Returns:
        (H, W) uint8.

    Raises:
        ImageError: no such picture, damaged, animated, more than `max_pixels`, or a side under 8 pixels.
    """
    if not content:
        raise ImageError("The image file is empty (0 bytes); upload it again.")
    for magic, (kind, plugin) in _PLUGINS.items():
        if content.startswith(magic):
            return _decode(content, kind, plugin, max_pixels)
    raise ImageError(
        f"This is no PNG, JPEG or TIFF image (it starts with {content[:8]!r}); save the picture as PNG."
    )


def _decode(
    content: bytes, kind: str, plugin: type[ImageFile.ImageFile], max_pixels: int
) -> NDArray[np.uint8]:
    try:
        try:
            image = plugin(io.BytesIO(content))
        except Exception:
            if kind != "TIFF":
                raise
            return _decode_with_tifffile(content, max_pixels)
        with image:
            _check_size(*image.size, max_pixels)
            if kind == "PNG" and getattr(image, "is_animated", False):
                raise ImageError("The PNG image is animated; save a single frame of it.")
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                if _is_deep_color(image):
                    return _decode_with_tifffile(content, max_pixels)
                _check_all_there(image, len(content))
            image.load()
            return _upright(_gray(image), _exif_orientation(image))
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged files
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise ImageError(
            f"The {kind} image cannot be decoded ({reason}); it may be damaged or cut off. "
            "Save it again as an 8-bit PNG."
        ) from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f"The image has {width:,} × {height:,} pixels, {width * height / 1e6:,.0f} million; "
            f"at most {max_pixels / 1e6:,.0f} million can be decoded. Crop or shrink it."
        )
    if min(width, height) < SMALLEST_SIDE:
        raise ImageError(
            f"The image has {width} × {height} pixels; it needs at least {SMALLEST_SIDE} on each side."
        )


def _is_deep_color(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Several samples of more than 8 bits: Pillow drops the low bits, and mixes up samples kept apart."""
    return bool(image.tag_v2.get(_SAMPLES, 1) > 1 and max(image.tag_v2.get(_BITS, (1,))) > 8)


def _check_all_there(image: TiffImagePlugin.TiffImageFile, n_bytes: int) -> None:
    """Find a cut-off TIFF before libtiff does: it would write to the standard error output of the process."""
    for offsets_tag, counts_tag in _STRIPS_AND_TILES:
        offsets, counts = image.tag_v2.get(offsets_tag), image.tag_v2.get(counts_tag)
        if offsets and counts and np.max(np.add(offsets, counts, dtype=np.float64)) > n_bytes:
            raise ImageError(
                f"The TIFF image is cut off: {n_bytes:,} bytes are not all of it; copy it again."
            )


def _gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "F" or image.mode.startswith("I"):
        deep = _to_8_bit(np.asarray(image))
        white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        return 255 - deep if white_is_zero else deep
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return np.array(ImageChops.multiply(rgba.convert("L"), rgba.getchannel("A")))
    if image.mode not in {"1", "L", "RGB"}:
        image = image.convert("RGB")
    return np.array(image.convert("L"))


def _to_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    with np.errstate(all="ignore"):
        levels = values.astype(np.float32)
        finite = np.isfinite(levels)
        if not finite.any():
            raise ImageError("The image holds no finite number; save it again from its source.")
        low = float(np.min(levels, initial=np.inf, where=finite))
        high = float(np.max(levels, initial=-np.inf, where=finite))
        offset, span = _range(low, high, is_float=values.dtype.kind == "f")
        levels -= offset
        levels *= 255 / span
        levels[~finite] = 0
        return np.rint(levels, out=levels).clip(0, 255, out=levels).astype(np.uint8)


def _range(low: float, high: float, *, is_float: bool) -> tuple[float, float]:
    """The value that becomes 0 and how far above it 255 lies."""
    if low < 0 or high >= 2 ** _SENSOR_BITS[-1]:
        return low, (high - low) or 1.0
    if is_float and high <= 1:
        return 0.0, 1.0
    return 0.0, float(next(2**bits - 1 for bits in _SENSOR_BITS if high < 2**bits))


def _exif_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  a picture with a damaged EXIF block is still a picture
        return 1


def _upright(gray: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation 1–8: quarter turns to the left, then a flip from left to right."""
    turns, flip = _NUMPY_TURNS.get(orientation, (0, False))
    turned = np.rot90(gray, turns)
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned)


def _decode_with_tifffile(content: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Read what Pillow has no pixel mode for, such as 16-bit or float colour."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        _check_size(page.imagewidth, page.imagelength, max_pixels)
        is_gray = page.photometric in {tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK}
        if page.samplesperpixel > 4 or not (is_gray or page.photometric == tifffile.PHOTOMETRIC.RGB):
            raise ImageError("The TIFF image is neither gray nor RGB; save it as an 8-bit PNG.")
        samples = page.asarray()
        axes, orientation = page.axes, page.tags.get(_ORIENTATION)
        invert = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    if set(axes) - set("YXS") or samples.dtype.kind not in "iufb":
        raise ImageError(f"The TIFF image has axes {axes} of {samples.dtype}; save it as an 8-bit PNG.")
    if axes.startswith("S"):
        samples = np.moveaxis(samples, 0, -1)
    if samples.ndim == 2:
        samples = samples[..., None]
    gray = _flatten_samples(samples, 1 if is_gray else 3)
    return _upright(255 - gray if invert else gray, orientation.value if orientation else 1)


def _flatten_samples(samples: NDArray[Any], colors: int) -> NDArray[np.uint8]:
    """Gray levels of (H, W, S) gray or RGB samples; one more sample is taken for alpha."""
    color = _to_8_bit(samples[..., :colors])
    gray = color[..., 0] if colors == 1 else np.array(Image.fromarray(color).convert("L"))
    if samples.shape[-1] != colors + 1:
        return gray
    alpha = samples[..., colors].astype(np.float32)
    opaque = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    return np.asarray(np.rint(gray * np.nan_to_num(alpha / opaque).clip(0, 1)), np.uint8)
