"""Pixels of every kind of image file: their right values, or a refusal with the way out."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fewstep.data.image_folder import ImageFolder
from fewstep.data.images import pictures
from fewstep.data.images.decode import Reading, decode


def saved(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


TYPES = {3: "H", 4: "I", 11: "f"}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def tiff(pixels: np.ndarray, kind: int, order: str = "<", white_is_zero=False, **tags) -> bytes:
    """A TIFF file, uncompressed; `tags`: as t281=(type, value)."""
    height, width, channels = np.atleast_3d(pixels).shape
    data = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(order)).tobytes()
    fields = {
        256: (3, [width]),
        257: (3, [height]),
        258: (3, [8 * pixels.dtype.itemsize] * channels),
        259: (3, [1]),
        262: (3, [2 if channels == 3 else int(not white_is_zero)]),
        273: (4, [8]),
        277: (3, [channels]),
        278: (3, [height]),
        279: (4, [len(data)]),
        339: (3, [kind] * channels),
    } | {int(name[1:]): (number, [value]) for name, (number, value) in tags.items()}
    entries, tail = b"", b""
    end = 8 + len(data) + 2 + 12 * len(fields) + 4
    for tag, (number, values) in sorted(fields.items()):
        body = struct.pack(f"{order}{len(values)}{TYPES[number]}", *values)
        entries += struct.pack(f"{order}HHI", tag, number, len(values))
        entries += (
            body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(f"{order}I", end + len(tail))
        )
        tail += body if len(body) > 4 else b""
    start = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(fields))
    return (
        start + struct.pack(f"{order}I", 8 + len(data)) + data + count + entries + bytes(4) + tail
    )


def png(pixels: np.ndarray, colour: int, bits: int, **chunks: bytes) -> bytes:
    """A PNG file of 8 or 16 bits a channel."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1).astype(">u2" if bits == 16 else "u1")
    parts = {"IHDR": struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, 0)} | chunks
    parts |= {"IDAT": zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)), "IEND": b""}
    out = b"\x89PNG\r\n\x1a\n"
    for name, body in parts.items():
        body = name.encode() + body
        out += struct.pack(">L", len(body) - 4) + body + struct.pack(">L", zlib.crc32(body))
    return out


def flat(value: float, kind: str, channels: int = 1) -> np.ndarray:
    """6x6 of one value, or of 6x6 pixels of one colour."""
    shape = (6, 6) if channels == 1 else (6, 6, channels)
    return np.full(shape, value, kind)


def frames(kind: str) -> bytes:
    """Two frames, of 100 and of 200."""
    first, second = (Image.new("L", (6, 6), shade).convert("RGB") for shade in (100, 200))
    options = {"lossless": True} if kind == "WEBP" else {}
    return saved(first, kind, save_all=True, append_images=[second], **options)


def profiled() -> bytes:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(Image.new("RGB", (6, 6), (100, 100, 100)), "PNG", icc_profile=profile)


def glass(mode: str, **fields) -> Image.Image:
    image = Image.new(mode, (6, 6), **fields)
    image.info["transparency"] = 0
    return image


GOOD: dict[str, tuple[Callable[[], bytes], int]] = {
    "float TIFF": (lambda: tiff(flat(0.5, "f4"), FLOAT), 128),
    "float TIFF, white": (lambda: tiff(flat(1, "f4"), FLOAT), 255),
    "float TIFF that says 255": (lambda: tiff(flat(100, "f4"), FLOAT, t341=(11, 255)), 100),
    "float TIFF that says 65535": (lambda: tiff(flat(25700, "f4"), FLOAT, t341=(11, 65535)), 100),
    "float TIFF, white is zero": (
        lambda: tiff(flat(0.25, "f4"), FLOAT, white_is_zero=True),
        255 - 64,
    ),
    "float TIFF, a hair above white": (lambda: tiff(flat(1.001, "f4"), FLOAT), 255),
    "float TIFF, a hair below black": (lambda: tiff(flat(-0.001, "f4"), FLOAT), 0),
    "float TIFF, big-endian": (lambda: tiff(flat(0.5, "f4"), FLOAT, ">"), 128),
    "PFM": (lambda: b"Pf\n6 6\n-1.0\n" + flat(0.5, "<f4").tobytes(), 128),
    "16 bits TIFF": (lambda: tiff(flat(25700, "u2"), UNSIGNED), 100),
    "16 bits TIFF, big-endian": (lambda: tiff(flat(25700, "u2"), UNSIGNED, ">"), 100),
    "16 bits TIFF, white is zero": (
        lambda: tiff(flat(25700, "u2"), UNSIGNED, white_is_zero=True),
        155,
    ),
    "16 bits TIFF, black": (lambda: tiff(flat(0, "u2"), UNSIGNED), 0),
    "12 bits in 16, which the TIFF says": (
        lambda: tiff(flat(1606, "u2"), UNSIGNED, t281=(3, 4095)),
        100,
    ),
    "8 bits in 32, which the TIFF says": (
        lambda: tiff(flat(100, "u4"), UNSIGNED, t281=(4, 255)),
        100,
    ),
    "32 bits, all used, which the TIFF says": (
        lambda: tiff(flat(3_000_000_000, "u4"), UNSIGNED, t281=(4, 2**32 - 1)),
        178,
    ),
    "the brightest pixel is not white": (
        lambda: tiff(flat(25700, "u2"), UNSIGNED, t281=(3, 25700)),
        100,
    ),
    "16 bits PNG": (lambda: png(flat(25700, "u2"), 0, 16), 100),
    "16 bits PNG, glass": (lambda: png(flat(25700, "u2"), 0, 16, tRNS=b"\x64\x64"), 255),
    "16 bits PNG, 12 of them meant": (lambda: png(flat(25700, "u2"), 0, 16, sBIT=b"\x0c"), 100),
    "16 bits PNG in colour": (lambda: png(flat(25700, "u2", 3), 2, 16), 100),
    "16 bits PNG in colour, glass": (
        lambda: png(flat(25700, "u2", 3), 2, 16, tRNS=b"\x64\x64" * 3),
        255,
    ),
    "16 bits PNG in colour with alpha": (
        lambda: png(np.dstack([flat(25700, "u2", 3), flat(65535, "u2")]), 6, 16),
        100,
    ),
    "16 bits PNG in grey with alpha": (
        lambda: png(np.dstack([flat(25700, "u2"), flat(65535, "u2")]), 4, 16),
        100,
    ),
    "16 bits TIFF in colour": (lambda: tiff(flat(25700, "u2", 3), UNSIGNED), 100),
    "16 bits JPEG 2000": (lambda: saved(flat(25700, "u2"), "JPEG2000"), 100),
    "12 bits PGM": (lambda: b"P5 6 6 4095\n" + flat(1606, ">u2").tobytes(), 100),
    "12 bits PPM": (lambda: b"P6 6 6 4095\n" + flat(1606, ">u2", 3).tobytes(), 100),
    "1 bit": (lambda: saved(Image.new("1", (6, 6), 1), "PNG"), 255),
    "1 bit TIFF": (lambda: saved(Image.new("1", (6, 6), 1), "TIFF"), 255),
    "1 bit, glass": (lambda: saved(glass("1"), "PNG"), 255),
    "grey, glass": (lambda: saved(glass("L"), "PNG", transparency=0), 255),
    "8 bits TIFF, white is zero": (
        lambda: tiff(flat(100, "u1"), UNSIGNED, white_is_zero=True),
        155,
    ),
    "palette": (lambda: saved(Image.new("L", (6, 6), 100).convert("P"), "PNG"), 100),
    "palette, glass": (lambda: saved(glass("P"), "PNG", transparency=0), 255),
    "GIF, glass": (lambda: saved(glass("P"), "GIF", transparency=0), 255),
    "half glass": (lambda: saved(Image.new("LA", (6, 6), (0, 155)), "PNG"), 100),
    "CMYK TIFF": (lambda: saved(Image.new("CMYK", (6, 6), (0, 0, 0, 155)), "TIFF"), 100),
    "CMYK JPEG": (lambda: saved(Image.new("CMYK", (6, 6), (0, 0, 0, 155)), "JPEG"), 100),
    "LAB": (lambda: saved(Image.new("LAB", (6, 6), (107, 128, 128)), "TIFF"), 100),
    "YCbCr": (lambda: saved(Image.new("YCbCr", (6, 6), (100, 128, 128)), "TIFF"), 100),
    "GIF of two frames": (lambda: frames("GIF"), 100),
    "TIFF of two pages": (lambda: frames("TIFF"), 100),
    "WebP of two frames": (lambda: frames("WEBP"), 100),
    "PNG of two frames": (lambda: frames("PNG"), 100),
    "MPO": (lambda: frames("MPO"), 100),
    "AVIF": (lambda: saved(Image.new("RGB", (16, 16), (100, 100, 100)), "AVIF", quality=100), 100),
    "a profile": (profiled, 100),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("make", "shade"), GOOD.values(), ids=GOOD)
def test_right_values(make, shade, channels):
    pixels = decode(make(), "here", 6, channels, "bilinear")
    assert pixels.shape == (6, 6, channels)
    assert np.abs(pixels.astype(int) - shade).max() <= 1


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "float of 0 to 255": (
        lambda: tiff(flat(200, "f4"), FLOAT),
        "floating-point values from 200 to 200 and is white at 1; .*dataset.white=255$",
    ),
    "float of 0 to 65535": (lambda: tiff(flat(6e4, "f4"), FLOAT), "dataset.white=65535$"),
    "negative": (lambda: tiff(flat(-3, "f4"), FLOAT), "values from -3 to -3"),
    "not a number": (lambda: tiff(flat(np.nan, "f4"), FLOAT), "not numbers .NaN or infinite"),
    "infinite": (lambda: tiff(flat(np.inf, "f4"), FLOAT), "not numbers .NaN or infinite"),
    "32 bits": (
        lambda: tiff(flat(200, "i4"), SIGNED),
        "32-bit values .* does not say what is white",
    ),
    "32 bits unsigned": (lambda: tiff(flat(200, "u4"), UNSIGNED), "does not say what is white"),
    "16 bits signed": (lambda: tiff(flat(200, "i2"), SIGNED), "does not say what is white"),
    "8 bits signed": (lambda: tiff(flat(100, "i1"), SIGNED), "signed numbers of 8 bits; convert"),
    "12 bits in 16": (
        lambda: tiff(flat(4095, "u2"), UNSIGNED),
        "16-bit values from 4095 to 4095 and would be nearly black .*dataset.white=4095$",
    ),
    "12 bits in a PNG of 16": (lambda: png(flat(3000, "u2"), 0, 16), "dataset.white=4095$"),
    "8 bits in a PNG of 16": (lambda: png(flat(200, "u2"), 0, 16), "dataset.white=255$"),
    "12 bits in a colour PNG": (lambda: png(flat(4095, "u2", 3), 2, 16), "colour of 16 bits"),
    "12 bits in a colour TIFF": (
        lambda: tiff(flat(4095, "u2", 3), UNSIGNED, t281=(3, 4095)),
        "colour of 16 bits a channel .*convert it to 8 bits a channel",
    ),
    "float64": (lambda: tiff(flat(0.5, "f8"), FLOAT), "it is a TIFF image"),
    "float in colour": (lambda: tiff(flat(0.5, "f4", 3), FLOAT), "it is a TIFF image"),
    "PostScript": (lambda: saved(Image.new("L", (6, 6)), "EPS"), "is EPS, which takes a program"),
    "an HEIC photo": (lambda: b"\0\0\0\x18ftypheic" + bytes(99), "it is an HEIC photo"),
    "a text": (lambda: b"not an image", "it is a text file"),
    "nothing": (lambda: b"", "it is an empty file"),
    "an LFS pointer": (lambda: b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    "large": (
        lambda: png(flat(9, "u1"), 0, 8),
        "has 3.6e-05 megapixels, more than .*max_megapixels=1e-05",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_by_name_with_the_way_out(make, message, request):
    reading = Reading(max_megapixels=1e-5) if "[large]" in request.node.name else Reading()
    with pytest.raises(ValueError, match=f"^cat/1.tif .*{message}") as error:
        decode(make(), "cat/1.tif", 6, 1, "nearest", reading)
    assert "BytesIO" not in str(error.value)


SAID = {
    "float of 0 to 65535": (tiff(flat(25700, "f4"), FLOAT), 65535, 100),
    "32 bits of 0 to 255": (tiff(flat(100, "i4"), SIGNED), 255, 100),
    "12 bits in 16": (png(flat(1606, "u2"), 0, 16), 4095, 100),
    "dark": (tiff(flat(2570, "u2"), UNSIGNED), 65535, 10),
    "dark colour": (png(flat(2570, "u2", 3), 2, 16), 65535, 10),
    "brighter than white": (png(flat(5000, "u2"), 0, 16), 4095, 255),
    "below black": (tiff(flat(-5, "i2"), SIGNED), 255, 0),
    "rather than the file": (tiff(flat(100, "u2"), UNSIGNED, t281=(3, 4095)), 255, 100),
    "but a PGM is on its scale": (b"P5 6 6 4095\n" + flat(1606, ">u2").tobytes(), 4095, 100),
    "8 bits are white at 255": (saved(flat(100, "u1"), "PNG"), 4095, 100),
}


@pytest.mark.parametrize(("data", "white", "shade"), SAID.values(), ids=SAID)
def test_white_is_said(data, white, shade):
    assert (decode(data, "here", 6, 1, "nearest", Reading(white=white)) == shade).all()


@pytest.mark.parametrize(
    "error", [KeyError("x"), IndexError("x"), struct.error("x"), RecursionError("x"), MemoryError()]
)
def test_whatever_a_decoder_raises_names_the_file(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(ValueError, match=r"^cat/1\.png cannot be read as an image \(.+\); replace"):
        decode(saved(flat(1, "u1"), "PNG"), "cat/1.png", 6, 1, "nearest")


def test_a_beginning_of_an_image_is_not_said_to_be_one():
    reason = r"\(it is a PNG image, damaged or of a sort that Pillow does not read\)"
    with pytest.raises(ValueError, match=rf"cannot be read as an image {reason}; replace or"):
        decode(b"\x89PNG\r\n\x1a\n", "cat/1.png", 6, 1, "nearest")


def test_an_interrupt_is_no_fault_of_the_file(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        decode(saved(flat(1, "u1"), "PNG"), "cat/1.png", 6, 1, "nearest")


def test_pillows_own_limit_is_ours_meanwhile(monkeypatch, tmp_path):
    """An image that Pillow would refuse is read where it is allowed, and nothing is left behind."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(saved(flat(7, "u1"), "PNG"))
    pixels, *_ = pictures.load("x", pictures.find_classes(tmp_path), 6, 1, "nearest")
    assert (pixels == 7).all()
    assert Image.MAX_IMAGE_PIXELS == 10


def folder(root: Path, **files: bytes) -> Path:
    for i, (name, data) in enumerate(files.items()):
        (root / f"class{i}").mkdir(parents=True)
        (root / f"class{i}" / f"{name}.tif").write_bytes(data)
    return root


def test_white_is_a_key_and_makes_another_entry(tmp_path):
    root = folder(tmp_path, a=tiff(flat(100, "i4"), SIGNED), b=tiff(flat(50, "i4"), SIGNED))
    one = {"size": 6, "val": 0, "test": 0.5}
    with pytest.raises(ValueError, match=r"(?s)2 of 2 files.*dataset\.white=255"):
        ImageFolder(root, **one).open()
    for white, shades in ((255, {100, 50}), (510, {50, 25})):
        pixels = ImageFolder(root, white=white, **one).open()["train"].pixels
        assert set(pixels.flatten().tolist()) == shades


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"white": 0}, r"dataset\.white=0: must be a number above 0"),
        ({"max_megapixels": -1}, r"dataset\.max_megapixels=-1: must be a number above 0"),
        ({"max_file_mb": float("nan")}, r"dataset\.max_file_mb=nan: must be a number above 0"),
        ({"white": "bright"}, r"dataset\.white=bright: must be a number above 0"),
        ({"skip": ".txt"}, r"dataset\.skip=\.txt: must be a list of endings, as \[\.txt\]"),
    ],
)
def test_senseless_settings(fields, message):
    with pytest.raises(ValueError, match=message):
        ImageFolder("somewhere", **fields)
