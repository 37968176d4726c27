"""Stills of every mode, against OpenCV or the pixels that went in."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from video_files import names

from animate.errors import UserError
from animate.video.image import over_white, read_image, resize, resize_mask, write_image

RNG = np.random.default_rng(0)
PICTURE = cv2.resize(RNG.integers(0, 256, (6, 8, 3), np.uint8), (64, 48), interpolation=cv2.INTER_LINEAR)


def test_png_and_jpeg_round_trip(tmp_path):
    write_image(tmp_path / "a.png", PICTURE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], PICTURE)
    write_image(str(tmp_path / "a.JPG"), PICTURE)
    got = read_image(str(tmp_path / "a.JPG"))
    assert np.abs(got.astype(int) - PICTURE).mean() < 2
    assert (got.dtype, got.shape, got.flags["C_CONTIGUOUS"], got.flags["WRITEABLE"]) == (
        np.uint8,
        (48, 64, 3),
        True,
        True,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    got = read_image(tmp_path / "a.jpg").astype(int)
    seen = cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]  # OpenCV honours EXIF by itself
    assert got.shape == ((64, 48, 3) if orientation >= 5 else (48, 64, 3))
    assert np.abs(got - seen).mean() < 1


def test_alpha_is_laid_over_white(tmp_path):
    alpha = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    Image.fromarray(np.dstack([PICTURE, alpha])).save(tmp_path / "a.png")
    share = alpha[..., None] / 255
    want = PICTURE * share + 255 * (1 - share)
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), want, atol=0.51)


def test_over_white_leaves_opaque_pictures_alone():
    np.testing.assert_array_equal(over_white(np.dstack([PICTURE, np.full((48, 64), 255, np.uint8)])), PICTURE)


def test_grey(tmp_path):
    grey = PICTURE[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.repeat(grey[..., None], 3, 2))


def test_grey_with_alpha(tmp_path):
    grey, alpha = PICTURE[..., 0], PICTURE[..., 1]
    Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]).save(tmp_path / "a.png")
    want = np.rint(grey * (alpha / 255) + 255 - alpha)
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[..., 1], want, atol=1)


def test_bilevel(tmp_path):
    Image.fromarray(PICTURE[..., 0] > 128).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 2], (PICTURE[..., 0] > 128) * 255)


def test_palette(tmp_path):
    paletted = Image.fromarray(PICTURE).quantize(64)
    paletted.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(paletted.convert("RGB")))
    paletted.save(tmp_path / "b.png", transparency=int(np.asarray(paletted)[0, 0]))
    assert (read_image(tmp_path / "b.png")[0, 0] == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_is_scaled(tmp_path, suffix):
    values = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), values)
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}")[..., 0], values >> 8)


def test_sixteen_bit_colour_is_scaled(tmp_path):
    values = RNG.integers(0, 65536, (48, 64, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), values >> 8)


def _png(path, *extra, bits=8, interlace=0):
    """A PNG of ``PICTURE`` with more chunks before its pixels, written by hand."""
    height, width = PICTURE.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, interlace)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_chunks_that_change_no_pixel_are_passed_over(tmp_path):
    path = _png(tmp_path / "a.png", (b"gAMA", struct.pack(">I", 20000)), (b"pHYs", bytes(9)))
    np.testing.assert_array_equal(read_image(path), PICTURE)


def test_a_transparent_colour_of_a_png_is_laid_over_white(tmp_path):
    colour = PICTURE[5, 7]
    path = _png(tmp_path / "a.png", (b"tRNS", struct.pack(">HHH", *colour.tolist())))
    want = np.where((colour == PICTURE).all(-1, keepdims=True), 255, PICTURE)
    np.testing.assert_array_equal(read_image(path), want)


def test_orientation_of_a_png(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(PICTURE, -1))


def test_a_png_with_a_wrong_bit_is_damaged(tmp_path):
    path = _png(tmp_path / "a.png")
    content = path.read_bytes()
    at = content.index(b"IDAT") + 400
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(UserError, match="damaged"):
        read_image(path)


def test_cmyk(tmp_path):
    Image.fromarray(PICTURE).convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - PICTURE).mean() < 3


def test_cmyk_with_a_profile_that_does_not_fit(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PICTURE).convert("CMYK").save(tmp_path / "a.jpg", quality=100, icc_profile=profile)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - PICTURE).mean() < 4


def test_suffix_is_not_trusted(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png", "JPEG", quality=100)
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - PICTURE).mean() < 3


def test_first_picture_of_an_animation(tmp_path):
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert tuple(read_image(tmp_path / "a.gif")[0, 0]) == (255, 0, 0)


def _truncated(path):
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _truncated_png(path):
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _corrupt_png(path):
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    data[200:300] = bytes(100)
    path.write_bytes(data)


BAD = {
    "missing.png": (lambda _: None, "no such file"),
    "empty.png": (lambda path: path.write_bytes(b""), "empty"),
    "text.png": (lambda path: path.write_text("not a picture"), "not a picture"),
    "cut.jpg": (_truncated, "damaged"),
    "cut.png": (_truncated_png, "damaged"),
    "corrupt.png": (_corrupt_png, "damaged"),
    "folder.png": (lambda path: path.mkdir(), "folder"),
    "float.tif": (lambda path: Image.fromarray(np.ones((4, 4), np.float32)).save(path), "floating point"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_named_with_a_reason(tmp_path, name):
    make, reason = BAD[name]
    make(tmp_path / name)
    with pytest.raises(UserError, match=reason) as caught:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    write_image(tmp_path / "a.png", PICTURE)
    with pytest.raises(UserError, match="too many pixels"):
        read_image(tmp_path / "a.png")


def test_write_refuses_other_kinds_and_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="end the name in"):
        write_image(tmp_path / "a.xyz", PICTURE)
    with pytest.raises(UserError, match="does not exist"):
        write_image(tmp_path / "no" / "a.png", PICTURE)
    assert names(tmp_path) == []


def test_write_replaces_in_one_step(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", PICTURE)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="No space left"):
        write_image(tmp_path / "a.png", PICTURE[::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)
    assert names(tmp_path) == ["a.png"]


def test_resize_shrinks_by_area():
    want = PICTURE.reshape(12, 4, 16, 4, 3).mean((1, 3))
    np.testing.assert_allclose(resize(PICTURE, (12, 16)), want, atol=0.51)


def test_resize_grows_linearly_with_half_pixel_centres():
    ramp = np.repeat(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], 4, 0).repeat(3, 2)
    got = resize(ramp, (4, 40))[0, 1:-1, 0].astype(float)
    np.testing.assert_allclose(got, (np.arange(1, 39) + 0.5) / 2 * 10 - 5, atol=0.51)


def test_resize_mask_does_as_resize_without_rounding():
    mask = PICTURE[..., 0].astype(np.float32) / 255
    for size in ((12, 16), (12, 128), (96, 200)):
        expected = resize(np.repeat(PICTURE[..., :1], 3, axis=2), size)[..., 0]
        np.testing.assert_allclose(255 * resize_mask(mask, size), expected, atol=1.1)
    assert resize_mask(mask, mask.shape) is mask
    assert 0 < resize_mask(np.pad(np.full((1, 1), 0.02, np.float32), ((0, 7), (0, 7))), (1, 1))[0, 0] < 0.001


def test_resize_mixed_axes_and_batches():
    got = resize(PICTURE, (12, 128))
    assert got.shape == (12, 128, 3)
    flat = np.repeat(PICTURE.reshape(12, 4, 64, 3).mean(1), 2, axis=1)
    assert np.abs(got - flat).mean() < 4
    batch = resize(np.stack([PICTURE, PICTURE[::-1]]), (24, 32))
    np.testing.assert_array_equal(batch[1], resize(np.ascontiguousarray(PICTURE[::-1]), (24, 32)))
    assert resize(np.empty((0, 4, 4, 3), np.uint8), (8, 8)).shape == (0, 8, 8, 3)
    assert resize(PICTURE, (48, 64)) is PICTURE
