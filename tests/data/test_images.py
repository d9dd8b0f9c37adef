from __future__ import annotations

import io
import struct
import subprocess
import sys
import textwrap
import time
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from marsseg.data.images import decode_gray
from marsseg.errors import ImageError

# The filter that the module sets is undone when pytest collects; the last test but one checks that it works.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")

LIMIT = 1_000_000
GRADIENT = np.add.outer(np.arange(16), np.arange(24) * 6).astype(np.uint8)


def encode(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_tiff(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A valid PNG whose header promises far more pixels than its few bytes hold."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9999)) + chunk(b"IEND", b"")


def luma(red, green, blue):
    return 0.299 * red + 0.587 * green + 0.114 * blue


def color_noise(dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (16, 24, 3), dtype, endpoint=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_8_bit_gray_is_read_unchanged(kind):
    gray = decode_gray(encode(GRADIENT, kind), LIMIT)
    assert gray.dtype == np.uint8
    np.testing.assert_array_equal(gray, GRADIENT)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff_is_read_unchanged(compression):
    np.testing.assert_array_equal(
        decode_gray(encode(GRADIENT, "TIFF", compression=compression), LIMIT), GRADIENT
    )


def test_jpeg_is_read():
    assert np.abs(decode_gray(encode(GRADIENT, "JPEG", quality=95), LIMIT) - GRADIENT.astype(int)).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_colour_becomes_luma(kind):
    pixels = color_noise()
    expected = luma(*np.moveaxis(pixels.astype(float), -1, 0))
    np.testing.assert_allclose(decode_gray(encode(pixels, kind), LIMIT), expected, atol=1)


def test_transparent_pixels_are_black():
    pixels = np.dstack([np.full((8, 8, 3), 200), np.zeros((8, 8), int)]).astype(np.uint8)
    pixels[:4, :, 3] = 255
    pixels[0, 0, 3] = 51
    gray = decode_gray(encode(pixels), LIMIT)
    assert (gray[0, 0], gray[0, 1], gray[7, 7]) == (40, 200, 0)


def test_gray_with_alpha_and_palette_with_a_transparent_colour_are_read():
    gray_alpha = np.dstack([GRADIENT, np.full_like(GRADIENT, 255)])
    np.testing.assert_array_equal(decode_gray(encode(gray_alpha), LIMIT), GRADIENT)
    palette = Image.fromarray((np.arange(64) % 2).astype(np.uint8).reshape(8, 8), "L").convert("P")
    palette.putpalette([10, 10, 10, 90, 90, 90])
    np.testing.assert_array_equal(decode_gray(encode(palette), LIMIT)[0, :2], [10, 90])
    np.testing.assert_array_equal(decode_gray(encode(palette, transparency=1), LIMIT)[0, :2], [10, 0])


def test_cmyk_is_read_as_its_brightness():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[..., 3] = 55  # black ink alone: 255 - 55
    for kind in ("TIFF", "JPEG"):
        gray = decode_gray(encode(Image.fromarray(pixels, "CMYK"), kind), LIMIT)
        np.testing.assert_allclose(gray, 200, atol=2)


def test_one_bit_is_black_and_white():
    bits = GRADIENT > 60
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(decode_gray(encode(Image.fromarray(bits), kind), LIMIT), bits * 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("brightest", "divisor"), [(65535, 257), (4095, 4095 / 255), (1023, 1023 / 255), (255, 1)]
)
def test_16_bit_gray_is_scaled_by_its_sensor_depth(kind, brightest, divisor):
    deep = np.linspace(0, brightest, 256).astype(np.uint16).reshape(16, 16)
    np.testing.assert_array_equal(decode_gray(encode(deep, kind), LIMIT), np.rint(deep / divisor))


def test_16_bit_colour_tiff_is_read():
    pixels = color_noise(np.uint16)
    expected = luma(*np.moveaxis(pixels / 257, -1, 0))
    for options in ({"planarconfig": "contig"}, {"planarconfig": "separate"}):
        stored = pixels if options["planarconfig"] == "contig" else np.moveaxis(pixels, -1, 0)
        gray = decode_gray(encode_tiff(stored, photometric="rgb", **options), LIMIT)
        np.testing.assert_allclose(gray, expected, atol=1.5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_fractions_are_scaled_by_255(dtype):
    fractions = np.random.default_rng(0).random((16, 24)).astype(dtype)
    gray = decode_gray(encode_tiff(fractions), LIMIT)
    np.testing.assert_allclose(gray, fractions.astype(float) * 255, atol=0.51)
    np.testing.assert_array_equal(decode_gray(encode_tiff(gray.astype(dtype)), LIMIT), gray)


def test_float_colour_is_read():
    pixels = np.random.default_rng(0).random((16, 24, 3)).astype(np.float32)
    gray = decode_gray(encode_tiff(pixels, photometric="rgb"), LIMIT)
    np.testing.assert_allclose(gray, 255 * luma(*np.moveaxis(pixels, -1, 0)), atol=1.1)


def test_pixels_that_are_not_finite_are_black():
    values = np.full((8, 8), 0.5, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(decode_gray(encode_tiff(values), LIMIT)[0, :4], [0, 0, 0, 128])
    with pytest.raises(ImageError, match="no finite number"):
        decode_gray(encode_tiff(np.full((8, 8), np.nan, np.float32)), LIMIT)


@pytest.mark.parametrize("values", [[-100, 0, 100], [0, 100_000, 200_000]])
def test_values_outside_16_bits_are_stretched(values):
    pixels = np.resize(np.array(values, np.int32), (9, 9))
    np.testing.assert_array_equal(decode_gray(encode_tiff(pixels), LIMIT)[0, :3], [0, 128, 255])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_whose_white_is_zero_is_no_negative(dtype):
    top = np.iinfo(dtype).max
    stored = np.linspace(0, top, 256).astype(dtype).reshape(16, 16)
    gray = decode_gray(encode_tiff(stored, photometric="miniswhite"), LIMIT)
    assert (gray[0, 0], gray[-1, -1]) == (255, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(orientation, kind):
    upright = np.kron(np.array([[0, 80, 160], [240, 40, 120]], np.uint8), np.ones((8, 8), np.uint8))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),  # shown by turning it to the right
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    gray = decode_gray(encode(np.ascontiguousarray(stored), kind, exif=exif), LIMIT)
    np.testing.assert_allclose(gray, upright, atol=3)


def test_a_tiff_with_several_pages_gives_the_first():
    pages = [Image.fromarray(GRADIENT), Image.fromarray(255 - GRADIENT)]
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(decode_gray(content, LIMIT), GRADIENT)


def test_a_bomb_is_refused_from_its_header():
    content = png_of_size(30_000, 30_000)
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(ImageError, match=r"30,000 × 30,000 pixels, 900 million; at most 50 million"):
        decode_gray(content, 50_000_000)
    assert time.perf_counter() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_the_limit_itself_is_allowed():
    assert decode_gray(encode(GRADIENT), GRADIENT.size).shape == GRADIENT.shape
    with pytest.raises(ImageError, match="Crop or shrink"):
        decode_gray(encode(GRADIENT), GRADIENT.size - 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_cut_off_file_is_refused(kind, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    content = encode(noise, kind)
    with pytest.raises(ImageError, match="cut off"):
        decode_gray(content[: int(len(content) * kept)], LIMIT)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"hello, this is text", "no PNG, JPEG or TIFF"),
        (encode(GRADIENT, "GIF"), "no PNG, JPEG or TIFF"),
        (b"\x89PNG\r\n\x1a\n", "PNG image cannot be decoded"),
        (b"\xff\xd8\xff\xe0", "JPEG image cannot be decoded"),
        (b"II*\x00", "TIFF image cannot be decoded"),
        (encode(GRADIENT[:7]), "24 × 7 pixels; it needs at least 8"),
        (encode(Image.fromarray(GRADIENT), "PNG", save_all=True,
                append_images=[Image.fromarray(255 - GRADIENT)]), "animated"),
        (encode_tiff(np.zeros((16, 16, 6), np.uint8), photometric="minisblack", planarconfig="contig"),
         "neither gray nor RGB"),
        (encode_tiff(np.zeros((16, 16), np.complex64)), "TIFF"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_one_sentence(content, sentence):
    with pytest.raises(ImageError, match=sentence) as caught:
        decode_gray(content, LIMIT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        encode(color_noise()),
        encode(color_noise(), "JPEG"),
        encode(color_noise(), "TIFF"),
        encode_tiff(color_noise(np.uint16), photometric="rgb"),
        encode_tiff(color_noise().astype(np.float32)[..., 0]),
    ],
    ids=["png", "jpeg", "tiff", "tiff16", "tiff-float"],
)
def test_damaged_files_are_read_or_refused_and_nothing_else(content):
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for position in rng.integers(0, min(len(damaged), 600), 3):
            damaged[position] = rng.integers(0, 256)
        try:
            assert decode_gray(bytes(damaged), LIMIT).dtype == np.uint8
        except ImageError:
            refused += 1
    assert refused > 0


def test_nothing_is_written_to_standard_error():
    script = """
        import io, sys
        import numpy as np
        from PIL import Image
        from marsseg.data.images import decode_gray
        from marsseg.errors import ImageError

        noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
        for kind, options in [("PNG", {}), ("JPEG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})]:
            buffer = io.BytesIO()
            Image.fromarray(noise).save(buffer, kind, **options)
            content = buffer.getvalue()
            for length in range(0, len(content), 97):
                try:
                    decode_gray(content[:length], 10**6)
                except ImageError:
                    pass
    """
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


@pytest.mark.real_data
def test_real_uploads_are_read(real_data_dir):
    uploads = [path.read_bytes() for path in (real_data_dir / "uploads").iterdir()]
    shapes = sorted(decode_gray(content, 50_000_000).shape for content in uploads)
    assert shapes[1:] == [(1024, 1024)] * 4
