"""Folders of pictures and mattes: paired, checked, batched and moved together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from animate.data.mattes import MatteFolderIndex
from animate.data.module import VideoDataModule
from animate.data.transforms import Augmentation
from animate.data.views import OneFrame, Reconstruction
from animate.errors import UserError
from drawn_mattes import FOLDERS, SIZE, draw, write


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "data")


def batch_of(root, size=SIZE, **augmentation):
    data = VideoDataModule(
        MatteFolderIndex(root),
        image_size=size,
        batch_size=3,
        train_view=OneFrame(("person_mask",)),
        eval_view=Reconstruction(2, ("person_mask",)),
        augmentation=Augmentation(**augmentation),
        num_workers=0,
    )
    return data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


@pytest.mark.parametrize(
    "folders",
    [
        FOLDERS,
        ("train/images", "train/gt", "test/img", "test/mattes"),
        ("DUTS-TR/DUTS-TR-Image", "DUTS-TR/DUTS-TR-Mask", "DUTS-TE/DUTS-TE-Image", "DUTS-TE/DUTS-TE-Mask"),
    ],
)
def test_pictures_and_mattes_are_paired(tmp_path, folders):
    index = MatteFolderIndex(write(tmp_path, folders))
    assert index.clips("val") == index.clips("test")
    assert [clip.name for clip in index.clips("train")] == ["0", "1", "2"]
    for number, clip in enumerate(index.clips("train")):
        picture, matte = draw(number)
        reader = clip.reader.open(clip)
        np.testing.assert_array_equal(reader.frames([0, 0], None), [picture, picture])
        np.testing.assert_array_equal(reader.truth([0], None)["person_mask"], [matte / np.float32(255)])


def test_a_matte_that_shrinks_is_averaged(root):
    clip = MatteFolderIndex(root).clips("train")[1]
    found = clip.reader.open(clip).truth([0], (12, 18))["person_mask"][0]
    expected = draw(1)[1].reshape(12, 2, 18, 2).mean((1, 3)) / 255
    np.testing.assert_allclose(found, expected, atol=0.5 / 255)


@pytest.mark.parametrize("augmentation", [{}, {"horizontal_flip": 1.0}, {"crop": 0.7, "rotation": 20.0}])
def test_mattes_move_with_their_pictures(root, augmentation):
    batch = batch_of(root, **augmentation)
    assert batch["person_mask"].shape == (3, 1, 1, *SIZE)
    torch.testing.assert_close(batch["frames"][:, :, :1], batch["person_mask"], rtol=0, atol=1e-5)
    plain = batch_of(root)
    assert torch.equal(batch["person_mask"], plain["person_mask"]) == (not augmentation)


def spoil(root, what):
    mask = root / "train" / "mask"
    if what == "missing":
        (mask / "1.png").unlink()
    elif what == "size":
        Image.fromarray(np.zeros((5, 6), np.uint8)).save(mask / "1.png")
    elif what == "no test":
        (root / "test").rename(root / "other")
    elif what == "two folders":
        (root / "train" / "old_mask").mkdir()
    else:
        (mask / "1.png").write_text("no picture")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("missing", r"1\.png has no matte of its name \(1 of 3 have none\)"),
        ("size", r"1\.png is 6x5 and its picture 36x24"),
        ("no test", r"no pictures for test .* test/image and test/mask"),
        ("two folders", "both mask and old_mask could be meant"),
        ("damaged", r"1\.png"),
    ],
)
def test_what_does_not_fit_is_told(root, what, reason):
    spoil(root, what)
    with pytest.raises(UserError, match=reason) as caught:
        MatteFolderIndex(root)
    assert "\n" not in str(caught.value)
