"""A background that stands still: figures over grounds whose truth is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.pipelines.composition import composition
from animate.pipelines.drive import drive
from animate.pipelines.files import DriveSettings
from animate.pipelines.framing import Box
from animate.pipelines.locked_background import Plate, source_matte
from animate.video.encode import VideoWriter
from animate.video.image import write_image

GROUND, FIGURE = (40, 90, 60), (250, 30, 30)
INSIDE = np.s_[12:20, 8:16]


@pytest.fixture
def picture():
    """A red square on green."""
    image = np.full((32, 32, 3), GROUND, np.uint8)
    image[INSIDE] = FIGURE
    return image


@pytest.fixture
def matte():
    found = np.zeros((32, 32), np.float32)
    found[INSIDE] = 1
    return found


class ShiftByKeypoints(torch.nn.Module):
    """A model whose truth is known: it shifts the picture by its single keypoint, background and all."""

    def __init__(self):
        super().__init__()
        self.arguments = {"image_size": 32}
        self.device = torch.device("cpu")
        self.keypoint_detector = self.brightest
        self.generator = SimpleNamespace(encode=lambda picture: picture, decode=self.decode)
        self.eval()

    def brightest(self, pictures):
        """The middle of what is red, in [-1, 1]."""
        red = (pictures[:, 0] > 0.9).float()
        axis = torch.linspace(-1, 1, 32)
        x, y = (red.sum(1) * axis).sum(-1), (red.sum(2) * axis).sum(-1)
        return {"value": torch.stack([x, y], -1)[:, None] / red.sum((1, 2))[:, None, None]}

    @staticmethod
    def decode(_features, picture, *, kp_source, kp_driving):
        shift = kp_source["value"] - kp_driving["value"]
        y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
        field = torch.stack([x, y], -1)[None] + shift[:, None]
        moved = torch.nn.functional.grid_sample(
            picture.expand(len(field), -1, -1, -1), field, padding_mode="border", align_corners=True
        )
        return {"prediction": moved * 0.5 + 0.5 * moved.mean((2, 3), keepdim=True), "deformation": field}


def shifted(picture, columns):
    return np.roll(picture, columns, axis=1)


def run(picture, matte, columns, settings=None, box=None):
    results = drive(ShiftByKeypoints(), picture, [picture, shifted(picture, columns)], matte=matte)
    compose = composition(picture, picture, box or Box(0, 0, 32, 32), settings or DriveSettings(), matte)
    return [compose(result, picture) for result in results]


def test_the_ground_stays_to_the_bit_and_no_ghost(picture, matte):
    _, frame = run(picture, matte, 12)
    new = np.zeros((32, 32), bool)
    new[12:20, 19:29] = True  # bilinear sampling may touch the pixels beside the figure
    old = np.zeros((32, 32), bool)
    old[11:21, 7:17] = True
    np.testing.assert_array_equal(frame[~new & ~old], np.broadcast_to(GROUND, ((~new & ~old).sum(), 3)))
    assert np.abs(frame[old & ~new].astype(int) - GROUND).max() <= 3  # filled by what is around it
    assert frame[15, 24, 0] > 120  # the figure is in its new place, as the model made it
    assert frame[15, 24, 0] < 200


def test_without_a_lock_the_ground_changes(picture):
    _, frame = drive(ShiftByKeypoints(), picture, [picture, shifted(picture, 12)])
    assert (frame[:, :4] != GROUND).any()


def test_with_the_whole_picture_kept(picture, matte):
    """In a textured ground, away from figure and rim, the source's own pixels at its own size."""
    large = np.random.default_rng(0).integers(0, 90, (64, 96, 3)).astype(np.uint8)
    large[24:40, 40:56] = FIGURE
    found = np.zeros((64, 96), np.float32)
    found[24:40, 40:56] = 1
    box = Box(16, 0, 64, 64)
    compose = composition(large, picture, box, DriveSettings(keep_size=True), found)
    figure = np.zeros((32, 32, 4), np.uint8)
    figure[4:10, 4:10] = (0, 0, 255, 255)
    frame = compose(figure, picture)
    touched = np.zeros((64, 96), bool)
    touched[22:42, 38:58] = True  # the old place, and its rim, are filled
    touched[6:22, 22:38] = True
    np.testing.assert_array_equal(frame[~touched], large[~touched])
    np.testing.assert_array_equal(frame[12:18, 28:34], np.broadcast_to((0, 0, 255), (6, 6, 3)))
    assert frame[24:40, 40:56, 0].max() < 120


def test_the_alpha_channel_is_the_moved_matte(picture, matte):
    still, moved = drive(ShiftByKeypoints(), picture, [picture, shifted(picture, 8)], matte=matte)
    assert still.shape == (32, 32, 4)
    np.testing.assert_array_equal(still[..., 3], matte * 255)
    np.testing.assert_allclose(moved[..., 3], shifted(matte, 8) * 255, atol=1)


def test_a_matte_from_a_file(picture, matte, tmp_path):
    grey = np.full((32, 32), 20, np.uint8)  # haze
    grey[INSIDE] = 250
    write_image(tmp_path / "matte.png", grey[..., None].repeat(3, axis=2))
    np.testing.assert_array_equal(source_matte(picture, tmp_path / "matte.png"), matte)


@pytest.mark.parametrize("name", ["matte.jpg", "matte.mp4", "matte.webm", "matte.gif"])
def test_a_matte_that_was_stored_with_loss_is_grey_still(picture, matte, tmp_path, name):
    grey = np.repeat(np.rint(matte * 255).astype(np.uint8)[..., None], 3, axis=2)
    if name.endswith(".jpg"):
        write_image(tmp_path / name, grey)
    else:
        with VideoWriter(tmp_path / name, 25) as writer:
            writer.write(grey)
    assert np.abs(source_matte(picture, tmp_path / name) - matte).mean() < 0.05


def test_refused(picture, tmp_path):
    write_image(tmp_path / "small.png", np.full((16, 32, 3), 255, np.uint8))
    write_image(tmp_path / "black.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(UserError, match=r"32x16 pixels and the source 32x32"):
        source_matte(picture, tmp_path / "small.png")
    with pytest.raises(UserError, match="no figure"):
        source_matte(picture, tmp_path / "black.png")
    write_image(tmp_path / "photo.png", np.full((32, 32, 3), (200, 180, 120), np.uint8))
    with pytest.raises(
        UserError, match=r"photo\.png: is in colour, and a matte is grey: white on the figure"
    ):
        source_matte(picture, tmp_path / "photo.png")
    with pytest.raises(
        UserError, match="nope: is neither a file nor a back-end of mattes; known are: mask_rcnn"
    ):
        source_matte(picture, Path("nope"))
    with pytest.raises(UserError, match="no back-end"):
        source_matte(picture, "nobody")


def test_the_plate_is_the_source_outside_of_the_hole(picture, matte):
    picture[INSIDE] = np.random.default_rng(1).integers(0, 255, (8, 8, 3))
    plate = Plate(picture, matte).picture
    outside = np.ones((32, 32), bool)
    outside[11:21, 7:17] = False
    np.testing.assert_array_equal(plate[outside], picture[outside])
    assert np.abs(plate.astype(int) - GROUND).max() <= 3
