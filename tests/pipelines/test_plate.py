"""Plates from videos: a drawn scene with a drawn person in it, whose clean background is known."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from animate.data.synthetic import PuppetIndex
from animate.errors import UserError
from animate.networks.inpainting import BackgroundInpainter
from animate.pipelines.alignment import camera_motion, exposed_like, largest_motion, moved_by
from animate.pipelines.inpaint import FileHoles, Holed, NetworkFiller
from animate.pipelines.plate import PlateSettings, make_plate, masked_median, plate_file, spread
from animate.video.encode import VideoWriter
from animate.video.image import read_image, write_image

SIZE = (96, 128)


def scene(margin=0):
    """Something to see at every place: smooth noise in colour."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 226, ((SIZE[0] + 2 * margin) // 8, (SIZE[1] + 2 * margin) // 8, 3), np.uint8)
    return cv2.resize(coarse, (SIZE[1] + 2 * margin, SIZE[0] + 2 * margin), interpolation=cv2.INTER_CUBIC)


def walk(background, count=12, start=10):
    """A black box that walks through; its hole is a little larger."""
    frames = []
    for number in range(count):
        image, hole = background(number).copy(), np.zeros(SIZE, np.float32)
        left = start + 8 * number
        image[30:90, left : left + 20] = 0
        hole[28:92, max(left - 2, 0) : left + 22] = 1
        frames.append(Holed(image, hole, Fraction(number, 25)))
    return frames


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


def test_what_is_seen_sometime_is_exactly_the_background():
    truth = scene()
    plate = make_plate(walk(lambda _: truth), PlateSettings())
    np.testing.assert_array_equal(plate.picture, truth)
    assert not plate.unseen.any()
    assert plate.used == 12
    assert plate.largest_motion < 0.25


def test_what_is_never_seen_is_told():
    truth = scene()
    frames = walk(lambda _: truth, count=2)
    plate = make_plate(frames, PlateSettings())
    never = (frames[0].hole * frames[1].hole) > 0
    rarely = (frames[0].hole + frames[1].hole) > 0  # two frames: both have to show it
    np.testing.assert_array_equal(plate.unseen, rarely)
    assert never.any()
    np.testing.assert_array_equal(plate.picture[~rarely], truth[~rarely])
    assert (plate.picture[rarely] == 0).all()


def test_a_shaking_camera_is_followed():
    wide, rng = scene(margin=8), np.random.default_rng(1)
    turns = np.concatenate([[[0, 0, 0]], rng.uniform(-1, 1, (14, 3)) * [3, 3, 0.6]])

    def seen(number):
        x, y, angle = turns[number]
        matrix = cv2.getRotationMatrix2D((SIZE[1] / 2 + 8, SIZE[0] / 2 + 8), angle, 1)
        matrix[:, 2] += [x - 8, y - 8]
        return cv2.warpAffine(wide, matrix, SIZE[::-1], flags=cv2.INTER_CUBIC)

    still = Holed(seen(0), np.zeros(SIZE, np.float32), Fraction(0))
    frames = [still, *walk(lambda n: seen(n + 1), 14, start=-10)]
    followed = make_plate(frames, PlateSettings(times=1))
    ignored = make_plate(frames, PlateSettings(times=1, still=100))
    assert psnr(followed.picture, seen(0)) > 33
    assert psnr(followed.picture, seen(0)) > psnr(ignored.picture, seen(0)) + 5
    assert 2 < followed.largest_motion < 10


def test_the_motion_that_is_found_is_the_one_that_was_made():
    wide = scene(margin=8)
    reference, frame = wide[8:-8, 8:-8], wide[5:-11, 13:-3]  # 5 to the right, 3 up
    common = np.ones(SIZE, bool)
    matrix = camera_motion(frame, reference, common)
    np.testing.assert_allclose(matrix, [[1, 0, -5], [0, 1, 3]], atol=0.05)
    assert largest_motion(matrix, SIZE) == pytest.approx(34**0.5, abs=0.1)
    moved, clear = moved_by(np.array([[1, 0, -5], [0, 1, 3]], np.float32), frame, common)
    np.testing.assert_array_equal(moved[clear], reference[clear])
    assert clear.mean() == pytest.approx(123 * 93 / (128 * 96))


def test_a_frame_from_elsewhere_is_not_used():
    truth = scene(margin=40)
    frames = walk(lambda _: truth[40:-40, 40:-40])
    far = Holed(truth[40:-40, 52:-28], np.zeros(SIZE, np.float32), Fraction(1))
    assert make_plate([*frames, far], PlateSettings(shake=0.05)).used == 12


def test_nothing_to_go_by_is_a_camera_that_stands():
    plain = np.full((*SIZE, 3), 90, np.uint8)
    for common in (np.ones(SIZE, bool), np.zeros(SIZE, bool)):
        np.testing.assert_array_equal(camera_motion(plain.copy(), plain, common), np.eye(2, 3))


def test_automatic_exposure_is_undone():
    """A curve that brightens, as a camera's when somebody dark walks in."""
    truth = scene()
    brightened = (255 * (truth / 255.0) ** 0.8).round().astype(np.uint8)
    empty = Holed(truth, np.zeros(SIZE, np.float32), Fraction(0))
    plate = make_plate([empty, *walk(lambda _: brightened)], PlateSettings(times=1))
    assert psnr(plate.picture, truth) > 38
    common = np.zeros(SIZE, bool)
    common[:40] = True
    assert psnr(exposed_like(brightened, truth, common), truth) > 38 > psnr(brightened, truth) + 10
    few = np.zeros(SIZE, bool)
    few[:3] = True
    assert exposed_like(brightened, truth, few) is brightened


def test_the_median_is_numpys_over_the_clear_frames():
    rng = np.random.default_rng(2)
    images, clear = rng.integers(0, 256, (7, 70, 5, 3), np.uint8), rng.random((7, 70, 5)) < 0.5
    made = masked_median(images, clear)
    with np.errstate(all="ignore"):
        values = np.where(clear[..., None], images.astype(float), np.nan)
    for place in np.ndindex(70, 5):
        seen = values[(slice(None), *place)][clear[(slice(None), *place)]]
        expected = np.floor(np.median(seen, axis=0) + 0.5) if len(seen) else np.zeros(3)
        np.testing.assert_array_equal(made[place], expected)


def test_frames_are_spread_evenly():
    assert spread(5, 61) == {0, 1, 2, 3, 4}
    assert spread(101, 3) == {0, 50, 100}


def write(tmp_path, frames):
    """A video and its masks, without loss."""
    for name, pictures in (
        ("walk", [frame.image for frame in frames]),
        ("masks", [np.repeat(np.uint8(255 * frame.hole)[..., None], 3, 2) for frame in frames]),
    ):
        (tmp_path / name).mkdir()
        for number, picture in enumerate(pictures):
            write_image(tmp_path / name / f"{number:03d}.png", picture)
    return tmp_path / "walk", FileHoles(tmp_path / "masks")


def test_a_file_becomes_a_plate_and_the_network_fills_what_was_never_seen(tmp_path):
    truth = scene()
    path, masks = write(tmp_path, walk(lambda _: truth, count=3))
    torch.manual_seed(0)
    filler = NetworkFiller(BackgroundInpainter("impersonator", (4, 8), 1, image_size=96).eval())
    made = plate_file(path, tmp_path / "plate.png", masks, filler)
    picture = read_image(tmp_path / "plate.png")
    assert made.frames == 3
    assert 0.1 < made.unseen < 0.4
    same = (picture == truth).all(axis=2)
    assert same.mean() == pytest.approx(1 - made.unseen, abs=0.01)
    with pytest.raises(UserError, match="name a --checkpoint"):
        plate_file(path, tmp_path / "other.png", masks, None)
    assert not (tmp_path / "other.png").exists()


def test_a_puppets_plate_is_its_clean_background(tmp_path):
    """The shadow on the ground moves with the figure: the plate has a blurred one, or none."""
    index = PuppetIndex(train_clips=40, kinds=["person"], frames=12)
    clips = [c for c in index.clips("train") if _walks_over_a_still_scene(c)]
    clip = clips[0]
    reader = clip.reader.open(clip)
    frames, truth = reader.frames(range(12), (64, 64)), reader.truth(range(12), (64, 64))
    holes = (truth["person_mask"] > 0).astype(np.float32)
    plate = make_plate(
        [Holed(*one, Fraction(0)) for one in zip(frames, holes, strict=True)], PlateSettings(times=1)
    )
    seen = ~plate.unseen
    assert seen.mean() > 0.8
    assert psnr(plate.picture[seen], truth["background"][0][seen]) > 30


def _walks_over_a_still_scene(clip):
    known = clip.reader.open(clip).truth([0, 11], (32, 32))
    background, mask = known["background"].astype(int), known["person_mask"]
    return np.abs(background[0] - background[1]).max() < 60 and 0.05 < mask.mean() < 0.5


def test_a_video_without_a_person_is_told(tmp_path):
    truth = scene()
    with VideoWriter(tmp_path / "empty.mp4", 25) as writer:
        for _ in range(3):
            writer.write(truth)
    write_image(tmp_path / "black.png", np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(UserError, match="no person was found in any frame"):
        plate_file(tmp_path / "empty.mp4", tmp_path / "plate.png", FileHoles(tmp_path / "black.png"), None)
    with pytest.raises(UserError, match="no frame"):
        make_plate([], PlateSettings())
