"""Colours, alpha and rotation of decoded frames, against the pixels that went in, OpenCV and the textbook."""

from __future__ import annotations

import gc

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image
from video_files import number_of, numbered, write_video

from animate.video.decode import read_frames, stream
from animate.video.pixels import display_matrix, rotation, turn

PATCHES = np.array(
    [
        *([250, 10, 10], [10, 240, 20], [20, 30, 245], [128, 128, 128]),
        *([0, 0, 0], [255, 255, 255], [240, 200, 170], [10, 90, 90]),
    ],
    np.uint8,
)


def colours(height=64, width=128):
    """Eight wide stripes of plain colour."""
    return np.repeat(PATCHES[None, np.arange(width) * 8 // width], height, axis=0)


def stripes(image):
    """The mean colour of each stripe, away from its edges."""
    width = image.shape[1] // 8
    return np.stack([image[4:-4, i * width + 4 : (i + 1) * width - 4].mean((0, 1)) for i in range(8)])


def yuv_frame(image, matrix, full):
    """Convert RGB to yuv444p in floating point by the textbook formula, in limited or full range."""
    kr, kb = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}[matrix]
    red, green, blue = np.moveaxis(image / 255.0, -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    planes = [luma, (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)]
    scale, offset = ((255, 255, 255), (0, 128, 128)) if full else ((219, 224, 224), (16, 128, 128))
    values = [np.clip(np.rint(p * s + o), 0, 255) for p, s, o in zip(planes, scale, offset, strict=True)]
    return VideoFrame.from_ndarray(np.stack(values).astype(np.uint8), format="yuv444p")


@pytest.mark.parametrize("matrix", ["601", "709", "2020"])
@pytest.mark.parametrize("full", [False, True])
def test_tagged_colours(tmp_path, matrix, full):
    name = {"601": "smpte170m", "709": "bt709", "2020": "bt2020nc"}[matrix]
    options = {"crf": "0", "x264-params": f"colormatrix={name}"}
    path = write_video(
        tmp_path / "a.mp4",
        [colours()],
        pix_fmt="yuv444p",
        options=options,
        full_range=full,
        prepare=lambda _: yuv_frame(colours(), matrix, full),
    )
    np.testing.assert_allclose(stripes(read_frames(path, [0])[0]), PATCHES, atol=2.5)


def test_untagged_colours_are_601_limited(tmp_path):
    path = write_video(
        tmp_path / "a.mp4",
        [colours()],
        pix_fmt="yuv444p",
        options={"crf": "0"},
        prepare=lambda _: yuv_frame(colours(), "601", False),
    )
    np.testing.assert_allclose(stripes(read_frames(path, [0])[0]), PATCHES, atol=2.5)
    seen = cv2.VideoCapture(str(path)).read()[1][..., ::-1]
    np.testing.assert_allclose(stripes(seen), PATCHES, atol=4)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [
        ("libx264", "yuv420p", {"crf": "4"}),
        ("libx264", "yuv422p", {"crf": "4"}),
        ("libx264", "yuv444p", {"crf": "4"}),
        ("libx264", "yuv420p10le", {"crf": "4"}),
        ("libx264", "yuvj420p", {"crf": "4"}),
        ("libx265", "yuv420p10le", {"crf": "4", "x265-params": "log-level=none:pools=none:bframes=0"}),
        ("mpeg4", "yuv420p", {"q": "1", "qmin": "1", "qmax": "1"}),
        ("libvpx-vp9", "yuv420p", {"crf": "4", "deadline": "realtime"}),
        ("ffv1", "gray", {}),
        ("ffv1", "gray16le", {}),
        ("ffv1", "bgr0", {}),
        ("ffv1", "gbrp10le", {}),
    ],
)
def test_pixel_formats(tmp_path, codec, pix_fmt, options):
    path = write_video(tmp_path / "a.mkv", [colours()] * 2, codec=codec, pix_fmt=pix_fmt, options=options)
    want = PATCHES.astype(float)
    if "gray" in pix_fmt:
        want = np.repeat((want @ [[0.299], [0.587], [0.114]]), 3, axis=1)
    got = read_frames(path, [1])[0]
    assert (got.dtype, got.flags["C_CONTIGUOUS"]) == (np.uint8, True)
    np.testing.assert_allclose(stripes(got), want, atol=5)


def test_no_bias_over_a_gradient(tmp_path):
    grey = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (64, 1))[..., None], 3, axis=2)
    path = write_video(tmp_path / "a.mkv", [grey], pix_fmt="yuv420p", options={"crf": "0"})
    assert abs(float(np.mean(read_frames(path, [0])[0].astype(float) - grey))) < 0.3


@pytest.mark.parametrize("size", [(33, 25), (251, 333), (31, 64), (17, 19), (16, 16)])
def test_odd_sizes(tmp_path, size):
    image = numbered(6, *size)[5]
    path = write_video(tmp_path / "a.mkv", [image], codec="ffv1", pix_fmt="yuv420p")
    got = read_frames(path, [0])[0]
    assert got.shape == image.shape
    assert np.abs(got.astype(int) - image).max() <= 3


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_rotation(tmp_path, angle):
    path = write_video(
        tmp_path / "a.mp4", [colours()] * 2, rotate=angle, pix_fmt="yuv444p", options={"crf": "0"}
    )
    upright = np.rot90(colours(), angle // 90)  # both count counter-clockwise
    got = read_frames(path, [1])[0]
    assert got.shape == upright.shape
    assert np.abs(got.astype(int) - upright).max() <= 3
    assert next(stream(path)).image.shape == upright.shape
    small = read_frames(path, [1], size=(40, 20))[0]
    assert small.shape == (40, 20, 3)
    seen = cv2.VideoCapture(str(path)).read()[1][..., ::-1]
    assert seen.shape == got.shape
    assert np.abs(stripes(np.rot90(seen, -angle // 90)) - PATCHES).max() < 5


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("quarter_turns", range(4))
def test_all_eight_display_matrices(mirror, quarter_turns):
    """The matrix maps stored to shown positions: follow the corner pixel of a 2x3 picture."""
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)
    a, b, c, d = (-1 if mirror else 1, 0, 0, 1)
    for _ in range(quarter_turns):  # a further quarter clockwise: (x, y) to (-y, x)
        a, b, c, d = -b, a, -d, c
    shown = turn(stored, (a, b, c, d))
    places = {}
    for y in range(2):
        for x in range(3):
            places[int(stored[y, x, 0])] = (a * x + c * y, b * x + d * y)
    left, top = (min(p[axis] for p in places.values()) for axis in (0, 1))
    for value, (x, y) in places.items():
        assert shown[y - top, x - left, 0] == value
    if not mirror:
        assert rotation((a, b, c, d)) == 90 * quarter_turns


def test_display_matrix_without_metadata():
    assert display_matrix(VideoFrame(4, 4, "rgb24")) == (1, 0, 0, 1)


def test_webm_with_alpha_is_laid_over_white(tmp_path):
    image = np.full((64, 64, 4), (200, 40, 40, 255), np.uint8)
    image[:, 32:] = (0, 0, 200, 0)
    image[40:, :32, 3] = 128
    options = {"auto-alt-ref": "0", "crf": "10"}
    path = write_video(
        tmp_path / "a.webm", [image] * 3, codec="libvpx-vp9", pix_fmt="yuva420p", options=options
    )
    for number in (0, 2):
        got = read_frames(path, [number])[0].astype(int)
        assert np.abs(got[:, 40:] - 255).max() <= 4
        assert np.abs(got[8:32, 8:24] - (200, 40, 40)).max() <= 8
        assert np.abs(got[48:56, 8:24] - (227, 147, 147)).max() <= 8
    assert len(list(stream(path))) == 3


def test_gif_with_transparency_is_laid_over_white_like_pillow(tmp_path):
    pictures = []
    for n in range(4):
        image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
        image.paste((200, 10 * n, 40, 255), (5 * n, 5, 5 * n + 10, 20))
        pictures.append(image)
    path = tmp_path / "a.gif"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=100, disposal=2, transparency=0
    )
    got = [frame.image for frame in stream(path)]
    with Image.open(path) as gif:
        for n in range(gif.n_frames):
            gif.seek(n)
            shown = gif.convert("RGBA")
            want = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
            np.testing.assert_array_equal(got[n], np.asarray(want))
    assert tuple(got[2][10, 12]) == (200, 20, 40)
    assert tuple(got[2][0, 0]) == (255, 255, 255)


def test_gif_numbers(tmp_path):
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(image).convert("P") for image in numbered(9)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50, disposal=1)
    assert [number_of(image) for image in read_frames(path, [8, 2, 5])] == [8, 2, 5]


def test_a_frame_goes_when_it_has_been_used_not_when_the_garbage_collector_comes(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(60))
    gc.collect()
    gc.disable()
    try:
        held = [sum(isinstance(o, VideoFrame) for o in gc.get_objects()) for _ in stream(path)]
    finally:
        gc.enable()
    assert len(held) == 60
    assert max(held) < 12
