"""Maps of classes and instances: read, checked, batched and moved with their pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import drawn_maps
from animate.data.label_maps import LabelMapIndex, read_map
from animate.data.module import VideoDataModule
from animate.data.transforms import Augmentation, Draw
from animate.data.views import OneFrame, Reconstruction
from animate.errors import UserError

TRUTH = ("label", "instance")


@pytest.fixture
def root(tmp_path):
    return drawn_maps.write(tmp_path / "maps")


def batch_of(root, size=drawn_maps.SIZE, **augmentation):
    data = VideoDataModule(
        LabelMapIndex(root, labels=3),
        image_size=size,
        batch_size=3,
        train_view=OneFrame(TRUTH),
        eval_view=Reconstruction(2, TRUTH),
        augmentation=Augmentation(**augmentation),
        num_workers=0,
    )
    return data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


def test_pictures_and_maps_belong_together(root):
    index = LabelMapIndex(root, labels=3)
    assert [clip.name for clip in index.clips("train")] == [f"town_{n:06d}" for n in range(3)]
    assert index.clips("val") == index.clips("test")
    rng = np.random.default_rng(0)
    for clip in index.clips("train"):
        reader = clip.reader.open(clip)
        picture, label, instance = drawn_maps.draw(rng)
        np.testing.assert_array_equal(reader.frames([0], None)[0], picture)
        maps = reader.truth([0], None)
        np.testing.assert_array_equal(maps["label"][0], label)
        np.testing.assert_array_equal(maps["instance"][0], instance)


def test_a_batch_has_the_shapes_of_the_contract(root):
    batch = batch_of(root)
    assert batch["frames"].shape == (3, 1, 3, *drawn_maps.SIZE)
    for key in TRUTH:
        assert batch[key].shape == (3, 1, 1, *drawn_maps.SIZE)
        assert batch[key].dtype == torch.int64


def test_resizing_mixes_no_classes(root):
    batch = batch_of(root, size=(20, 28))
    assert set(batch["label"].unique().tolist()) == {0, 1, 2}
    assert set(batch["instance"].unique().tolist()) <= {0, 1000, 1002, 2001, 2003}


def test_maps_are_mirrored_with_their_pictures(root):
    plain, mirrored = batch_of(root), batch_of(root, horizontal_flip=1.0)
    for key in ("frames", *TRUTH):
        assert torch.equal(mirrored[key], plain[key].flip(-1)), key


def test_warped_maps_hold_whole_numbers_in_the_right_places():
    label = torch.zeros(1, 1, 1, 33, 33, dtype=torch.int64)
    label[..., 8:25, 8:25] = 16_000_001
    batch = {"frames": label.expand(-1, -1, 3, -1, -1).float() / 16_000_001, "instance": label}
    Augmentation().apply(batch, [Draw(angle=45.0)])
    assert set(batch["instance"].unique().tolist()) == {0, 16_000_001}
    agree = (batch["frames"][:, :, :1] > 0.5) == (batch["instance"] > 0)
    assert agree.float().mean() > 0.99
    assert batch["instance"][0, 0, 0, 16, 5] > 0  # the square's corner has turned to there


def spoil(root, kind, image):
    path = next((root / f"train_{kind}").iterdir())
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "image", "message"),
    [
        ("label", Image.new("L", (48, 32), 3), "has the class 3, and there are 3 from 0 to 2"),
        ("label", Image.new("L", (40, 32)), "is 40x32 and its picture 48x32"),
        ("inst", Image.new("I;16", (48, 30)), "is 48x30 and its picture 48x32"),
        ("label", Image.new("RGB", (48, 32)), "is a picture in colours"),
    ],
    ids=["class", "size", "instances", "colours"],
)
def test_wrong_maps_are_told_by_name(root, kind, image, message):
    path = spoil(root, kind, image)
    with pytest.raises(UserError, match=message) as error:
        LabelMapIndex(root, labels=3)
    assert str(path) in str(error.value)


def test_missing_and_damaged_maps_are_told(root, tmp_path):
    path = next((root / "test_label").iterdir())
    path.write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match="damaged or no picture"):
        LabelMapIndex(root, labels=3)
    path.unlink()
    with pytest.raises(UserError, match=r"has no map of its name in .*test_label"):
        LabelMapIndex(root, labels=3)
    with pytest.raises(UserError, match="expected are train_img, train_label"):
        LabelMapIndex(tmp_path / "nowhere", labels=3)


def test_palettes_and_16_bit_are_numbers(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert (read_map(tmp_path / "deep.png") == 40_000).all()
    image = Image.fromarray(np.full((4, 4), 2, np.uint8)).convert("P")
    image.putpalette([9, 9, 9, 8, 8, 8, 7, 7, 7])
    image.putdata([2] * 16)
    image.save(tmp_path / "palette.png")
    assert (read_map(tmp_path / "palette.png") == 2).all()
