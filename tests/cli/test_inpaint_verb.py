"""``animate inpaint``: pictures, videos and plates, with a tiny network; and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from animate.checkpoints.description import describe
from animate.checkpoints.save import save
from animate.cli.main import main
from animate.networks.inpainting import BackgroundInpainter, masked
from animate.pipelines.inpaint import NetworkFiller, shrunk
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.image import read_image, write_image

SIZE = (40, 56)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkpoint, a picture with its mask, a video with its matte."""
    folder = tmp_path_factory.mktemp("inpaint")
    torch.manual_seed(0)
    networks = BackgroundInpainter("impersonator", (4, 8), 1, image_size=16)
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    save(folder / "bg.ckpt", {"state_dict": state}, describe("inpainting", networks.arguments))
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    write_image(folder / "photo.png", picture)
    mask = np.zeros((*SIZE, 3), np.uint8)
    mask[10:30, 15:30] = 255
    write_image(folder / "mask.png", mask)
    with VideoWriter(folder / "clip.mp4", 10) as clip, VideoWriter(folder / "matte.mp4", 10) as matte:
        for number in range(8):
            clip.write(np.full((*SIZE, 3), 100, np.uint8))
            matte.write(np.roll(mask, 8 * number - 16, axis=1) if number < 5 else 0 * mask)
    return folder


def run(place, *arguments):
    files = (".png", ".jpg", ".mp4", ".ckpt")
    return main(["inpaint", *(str(place / a) if a.endswith(files) else a for a in arguments)])


PHOTO = ("--image", "photo.png", "--checkpoint", "bg.ckpt")


def test_a_picture_is_filled_in_its_mask_alone(place, capsys):
    assert run(place, *PHOTO, "--mask", "mask.png", "--output", "plate.png") == 0
    assert "13.4% of the picture filled" in capsys.readouterr().out
    before, after = (read_image(place / name) for name in ("photo.png", "plate.png"))
    inside = read_image(place / "mask.png")[..., 0] > 0
    np.testing.assert_array_equal(after[~inside], before[~inside])
    assert np.abs(after[inside].astype(int) - before[inside]).mean() > 20
    assert run(place, *PHOTO, "--mask", "mask.png", "--output", "plate.png") == 2
    assert run(place, *PHOTO, "--mask", "mask.png", "--output", "plate.png", "--overwrite") == 0


def test_a_plate_of_the_users_own_is_shown_in_the_hole(place, capsys):
    write_image(place / "own_plate.png", np.full((*SIZE, 3), 60, np.uint8))
    own = ("--plate", "own_plate.png", "--mask", "mask.png")
    assert run(place, "--image", "photo.png", *own, "--output", "placed.png") == 0
    before, after = (read_image(place / name) for name in ("photo.png", "placed.png"))
    inside = read_image(place / "mask.png")[..., 0] > 0
    assert (after[inside] == 60).all()
    np.testing.assert_array_equal(after[~inside], before[~inside])
    assert run(place, "--video", "clip.mp4", *own, "--output", "placed.mp4") == 0
    assert np.abs(next(stream(place / "placed.mp4")).image[12:28, 17:28].astype(int) - 60).max() <= 6


def test_a_matte_makes_a_larger_hole(place, capsys):
    assert run(place, *PHOTO, "--matte", "mask.png", "--output", "own.png") == 0
    assert "20.4% of the picture" in capsys.readouterr().out  # 24 x 19 of 40 x 56
    assert run(place, *PHOTO, "--matte", "mask.png", "--variant", "v2.1", "--output", "v21.png") == 0
    assert "10.4% of the picture" in capsys.readouterr().out  # 18 x 13


def test_a_video_is_filled_frame_by_frame(place, capsys):
    video = ("--video", "clip.mp4", "--checkpoint", "bg.ckpt")
    assert run(place, *video, "--matte", "matte.mp4", "--output", "filled.mp4") == 0
    assert "8 frames, 3 without a hole" in capsys.readouterr().out
    frames = list(stream(place / "filled.mp4"))
    assert [frame.time for frame in frames] == [Fraction(number, 10) for number in range(8)]
    assert frames[0].image.std() > 5
    assert frames[7].image.std() < 2


def test_a_plate_needs_no_network_where_everything_was_seen(place, capsys):
    video = ("--video", "clip.mp4", "--matte", "matte.mp4")
    assert run(place, *video, "--output", "clean.png") == 0
    assert "100.00% of the picture was seen in 8 frames" in capsys.readouterr().out
    assert np.abs(read_image(place / "clean.png").astype(int) - 100).max() <= 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*PHOTO, "--mask", "black.png"), "no hole to fill"),
        ((*PHOTO, "--mask", "white.png"), "the mask is all white"),
        (
            (*PHOTO, "--mask", "mask.png", "--max-share", "0.1"),
            "13% of the picture, more than --max-share 0.1",
        ),
        ((*PHOTO, "--mask", "small.png"), "small.png is 10x8, and what is to be filled is 56x40"),
        ((*PHOTO, "--mask", "nothing.png"), "nothing.png"),
        (
            ("--image", "photo.png", "--plate", "small.png", "--mask", "mask.png"),
            "small.png is 10x8, and what is to be filled is 56x40",
        ),
        ((*PHOTO, "--matte-backend", "magic"), "there is no back-end 'magic'"),
        ((*PHOTO, "--mask", "mask.png", "--max-share", "0"), "--max-share 0"),
        (("--image", "photo.png", "--mask", "mask.png"), "--checkpoint or --plate is missing"),
        (("--image", "photo.png", "--checkpoint", "photo.png", "--mask", "mask.png"), "photo.png"),
        (("--video", "clip.mp4", "--mask", "mask.png"), "name a --checkpoint"),
        (("--video", "clip.mp4", "--matte", "short.mp4"), "has 2 frames, fewer"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(place, capsys, arguments, told):
    write_image(place / "black.png", np.zeros((*SIZE, 3), np.uint8))
    write_image(place / "white.png", np.full((*SIZE, 3), 255, np.uint8))
    write_image(place / "small.png", np.zeros((8, 10, 3), np.uint8))
    with VideoWriter(place / "short.mp4", 10, overwrite=True) as short:
        for _ in range(2):
            short.write(np.full((*SIZE, 3), 200, np.uint8))
    before = {path.name for path in place.iterdir()}
    assert run(place, *arguments, "--output", "out.png") == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert {path.name for path in place.iterdir()} == before


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "I;16", "L", "P"])
def test_pictures_of_all_kinds_are_filled(place, mode):
    grey = Image.fromarray(np.linspace(0, 255, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint8))
    suffix = "jpg" if mode == "CMYK" else "png"
    picture = Image.fromarray(np.uint16(np.asarray(grey)) * 257) if mode == "I;16" else grey.convert(mode)
    picture.save(place / f"kind.{suffix}")
    arguments = ("--image", f"kind.{suffix}", "--checkpoint", "bg.ckpt", "--mask", "mask.png")
    assert run(place, *arguments, "--output", "kind_out.png", "--overwrite") == 0
    assert read_image(place / "kind_out.png").shape == (*SIZE, 3)


def test_tiny_pictures_are_padded(place):
    write_image(place / "tiny.png", np.full((3, 5, 3), 90, np.uint8))
    mask = np.zeros((3, 5, 3), np.uint8)
    mask[1, 2] = 255
    write_image(place / "tiny_mask.png", mask)
    arguments = ("--image", "tiny.png", "--checkpoint", "bg.ckpt", "--mask", "tiny_mask.png")
    assert run(place, *arguments, "--output", "tiny_out.png") == 0
    assert read_image(place / "tiny_out.png").shape == (3, 5, 3)


def test_a_large_picture_is_filled_at_the_networks_size():
    torch.manual_seed(1)
    networks = BackgroundInpainter("impersonator", (4, 8), 1, image_size=16).eval()
    seen = []
    networks.background.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    pictures, hole = torch.rand(1, 3, 40, 60), torch.zeros(1, 1, 40, 60)
    hole[..., 10:30, 20:40] = 1
    made = NetworkFiller(networks)(pictures, hole)
    assert seen == [(1, 4, 16, 24)]
    assert made.shape == pictures.shape
    small = torch.rand(1, 3, 10, 12)
    mask = (torch.rand(1, 1, 10, 12) > 0.5).float()
    with torch.no_grad():
        expected = torch.lerp(small, networks.background(masked(small, mask)), mask)
    torch.testing.assert_close(NetworkFiller(networks)(small, mask), expected)


def test_what_was_in_the_hole_never_reaches_the_network():
    pictures, hole = torch.rand(1, 3, 41, 60), torch.zeros(1, 1, 41, 60)
    hole[..., 11:29, 21:38] = 1
    other = torch.lerp(pictures, torch.rand(1, 3, 41, 60), hole)
    (a, mask), (b, _) = shrunk(pictures, hole, (17, 25)), shrunk(other, hole, (17, 25))
    torch.testing.assert_close(a * (1 - mask), b * (1 - mask), rtol=0, atol=0)
    assert 0.15 < mask.mean() < 0.3
