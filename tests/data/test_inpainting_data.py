"""Scenes with holes as a data module: drawn scenes, folders, what training and evaluation see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from animate.data.export import export
from animate.data.inpainting import InpaintingData, shapes_of
from animate.data.scenes import SceneFolderIndex
from animate.data.synthetic import PuppetIndex, SceneIndex
from animate.data.transforms import Augmentation
from animate.data.views import Reconstruction, WholeClip
from animate.errors import UserError
from animate.video.encode import VideoWriter
from animate.video.image import write_image

PEOPLE = PuppetIndex(train_clips=4, val_clips=1, test_clips=2, frames=4, kinds=["person"])


def scenes(**settings):
    return SceneIndex(**({"train_clips": 8, "val_clips": 2, "test_clips": 4, "size": 32} | settings))


def data(**settings):
    defaults = {
        "scenes": scenes(),
        "people": PEOPLE,
        "eval_view": Reconstruction(2, ["hole_mask"]),
        "image_size": 32,
        "batch_size": 4,
        "num_workers": 0,
    }
    return InpaintingData(**(defaults | settings))


def batches(module, loader):
    return [module.on_after_batch_transfer(batch, 0) for batch in loader]


def test_a_training_batch_has_scenes_and_holes():
    module = data(frames=3, share=(0.1, 0.2))
    for batch in batches(module, module.train_dataloader()):
        assert batch["frames"].shape == (4, 3, 3, 32, 32)
        assert batch["hole_mask"].shape == (4, 3, 1, 32, 32)
        assert set(batch["hole_mask"].unique().tolist()) == {0, 1}
        assert batch["hole_mask"].mean() < 0.25
        still = (batch["frames"] == batch["frames"][:, :1]).flatten(1).all(1)
        moving = (batch["hole_mask"] != batch["hole_mask"][:, :1]).flatten(1).any(1)
        assert still.all(), "these scenes are pictures"
        assert moving.all(), "and their holes move"


def test_scenes_move_where_they_have_several_frames():
    module = data(scenes=scenes(frames=6), frames=2, batch_size=8)
    (batch,) = batches(module, module.train_dataloader())
    moving = (batch["frames"][:, 0] != batch["frames"][:, 1]).flatten(1).any(1)
    assert 0 < moving.sum() < 8


def test_every_epoch_has_other_holes_and_every_run_the_same():
    def drawn(epoch, seed=0):
        module = data(seed=seed)
        loader = module.train_dataloader()
        module._sampler.position = module._sampler.position._replace(epoch=epoch)
        return torch.cat([batch["hole_mask"] for batch in batches(module, loader)])

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    assert not torch.equal(drawn(0), drawn(0, seed=1))


def test_evaluation_sees_the_same_holes_whatever_the_seed_of_the_run():
    def holes(**settings):
        module = data(eval_batch_size=4, **settings)
        (batch,) = batches(module, module.test_dataloader())
        return batch["hole_mask"]

    assert torch.equal(holes(seed=0), holes(seed=1))
    assert not torch.equal(holes(), holes(holes_seed=1))
    assert not torch.equal(holes()[0], holes()[1])
    module = data(eval_view=WholeClip(2, ["hole_mask"]), scenes=scenes(frames=5))
    chunks = [batch for batch in module.test_dataloader() if batch is not None]
    whole = [module.on_after_batch_transfer(batch, 0) for batch in chunks]
    assert sum(batch["hole_mask"].shape[1] - 1 for batch in whole) == 4 * 5


def test_an_augmentation_leaves_holes_where_they_are():
    plain, flipped = data(), data(augmentation=Augmentation(horizontal_flip=1.0))
    (a, _), (b, _) = (batches(module, module.train_dataloader()) for module in (plain, flipped))
    assert torch.equal(a["hole_mask"], b["hole_mask"])
    assert torch.equal(a["frames"].flip(-1), b["frames"])


def test_families_of_scenes_belong_to_one_split():
    index = scenes()
    families = {split: {clip.subject for clip in index.clips(split)} for split in ("train", "val", "test")}
    assert not families["train"] & families["test"]
    assert not families["train"] & families["val"]
    assert not families["val"] & families["test"]
    with pytest.raises(UserError, match="room twice"):
        scenes(test_families=["town", "room"])
    with pytest.raises(UserError, match="no family moon"):
        scenes(val_families=["moon"])
    with pytest.raises(UserError, match="train_clips is 0"):
        scenes(train_clips=0)
    with pytest.raises(UserError, match="val_families is empty"):
        scenes(val_families=[])


def test_a_studio_is_plainer_than_other_scenes():
    def gradient(family):
        index = scenes(
            train_families=[family], val_families=["winter"], test_families=["stage"], train_clips=4
        )
        frames = [
            clip.reader.open(clip).frames([0], (32, 32))[0].astype(float) for clip in index.clips("train")
        ]
        return np.mean([np.abs(np.diff(frame, axis=1)).mean() for frame in frames])

    assert gradient("studio") < 0.7 * min(gradient(family) for family in ("town", "pattern", "room"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scenes"
    (root / "deep" / "er").mkdir(parents=True)
    for number in range(30):
        picture = np.full((20, 24 + number, 3), number * 8, np.uint8)
        write_image(root / ("deep/er" if number % 2 else "deep") / f"{number}.png", picture)
    with VideoWriter(root / "walk.mp4", 25) as writer:
        for number in range(4):
            writer.write(np.full((32, 32, 3), 60 * number, np.uint8))
    (root / "notes.txt").write_text("nothing")
    (root / ".hidden.png").write_bytes(b"")
    return root


def test_every_picture_and_video_of_a_folder_is_a_scene_of_one_split(folder):
    index = SceneFolderIndex(folder)
    names = {split: [clip.name for clip in index.clips(split)] for split in ("train", "val", "test")}
    every = [name for part in names.values() for name in part]
    assert len(every) == len(set(every)) == 31
    assert all(len(part) >= 1 for part in names.values())
    (folder / "new.png").write_bytes((folder / "deep" / "0.png").read_bytes())
    again = SceneFolderIndex(folder)
    for split, before in names.items():
        assert set(before) <= {clip.name for clip in again.clips(split)}, "a file stays in its split"
    clip = next(clip for s in names for clip in index.clips(s) if clip.name == "deep/er/3.png")
    assert clip.size == (20, 27)
    np.testing.assert_array_equal(clip.reader.open(clip).frames([0], (8, 8)), np.full((1, 8, 8, 3), 24))


def test_folders_tell_the_split_where_there_is_a_train(folder):
    (folder / "deep").rename(folder / "train")
    (folder / "test").mkdir()
    (folder / "walk.mp4").rename(folder / "test" / "walk.mp4")
    index = SceneFolderIndex(folder)
    assert len(index.clips("train")) == 30
    assert [clip.num_frames for clip in index.clips("test")] == [4]
    assert index.clips("val") == index.clips("test")


def test_a_flat_folder_can_be_all_of_one_split(folder):
    index = SceneFolderIndex(folder, flat="test")
    assert len(index.clips("test")) == 31
    assert index.clips("val") == index.clips("test")
    with pytest.raises(UserError, match="no pictures or videos for train"):
        index.clips("train")
    (folder / "deep").rename(folder / "train")
    (folder / "test").mkdir()
    (folder / "walk.mp4").rename(folder / "test" / "walk.mp4")
    told = SceneFolderIndex(folder, flat="test")
    assert [len(told.clips(split)) for split in ("train", "test")] == [30, 1], "folders tell where there are"


def test_a_folder_trains_with_blobs(folder):
    module = data(scenes=str(folder), people=None, image_size=16)
    batch = batches(module, module.train_dataloader())[0]
    assert batch["frames"].shape == (4, 1, 3, 16, 16)
    assert 0 < batch["hole_mask"].mean() < 0.35


def test_the_setting_that_is_named_counts_for_people_too(folder, tmp_path_factory):
    people = tmp_path_factory.mktemp("people")
    export(PEOPLE, people, ("train",), (16, 16))
    (people / "train" / "empty.mp4").touch()
    settings = {"scenes": str(folder), "people": str(people), "image_size": 16}
    with pytest.raises(
        UserError, match=r"1 of \d cl.* cannot be read.*more than data.max_skipped_share=0\.1"
    ):
        data(**settings)
    data(**settings, max_skipped_share=0.5)
    shapes_of(people)


def test_bad_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        SceneFolderIndex(tmp_path / "nowhere")
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match="no pictures or videos for train"):
        SceneFolderIndex(tmp_path).clips("train")
    (tmp_path / "train" / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="cannot be read"):
        SceneFolderIndex(tmp_path)
