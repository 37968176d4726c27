"""Sidecars beside clips become truth, and views with poses take it from there."""

import os

import numpy as np
import pytest
import torch
from clip_files import write_frames, write_gif, write_strip, write_video

from animate.data.annotations import content_of
from animate.data.batches import as_batch
from animate.data.clips import ExcerptSource, open_clip
from animate.data.dataset import collate
from animate.data.index import FolderIndex
from animate.data.module import VideoDataModule
from animate.data.pose_views import PoseFrame, PoseWindow
from animate.data.synthetic import PuppetIndex
from animate.data.transforms import Augmentation, Draw
from animate.data.views import WholeClip
from animate.errors import UserError
from animate.layouts import COCO17, COCO18
from animate.ops.random import numpy_generator
from animate.ops.skeleton import limb_map
from animate.sidecars import Header, Key, SidecarError, place, write_sidecar

COUNT = 12


def made_up(count=COUNT, layout=COCO17):
    """Points that tell frame and joint; joint 3 is never found, frames 4 to 6 show nobody."""
    joints = len(layout.points)
    points = np.zeros((count, joints, 2), np.float32)
    points[..., 0] = np.arange(count)[:, None] / 20
    points[..., 1] = np.arange(joints) / 40
    found = np.ones((count, joints), bool)
    found[:, 3] = found[4:7] = False
    points[~found] = 0.0
    return points, found


def annotate(clip, folder=None, backend="made_up", layout=COCO17, count=COUNT):
    points, found = made_up(count, layout)
    key = Key("pose", backend, "1", content_of(clip))
    target = place(key, clip, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with write_sidecar(target) as writer:
        for name, array in {"points": points, "found": found, "score": found.astype(np.float32)}.items():
            writer.add(name, array)
        writer.finish(Header(key, count, (32, 48), int(found.any(1).sum()), layout.name))
    return target


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def clip(tmp_path):
    """A video with poses beside it."""
    annotate(write_video(tmp_path / "data/train/walk [1].mp4", COUNT))
    return FolderIndex(tmp_path / "data").clips("train")[0]


WRITERS = {
    "a.mp4": lambda path: write_video(path, COUNT),
    "a.gif": lambda path: write_gif(path, COUNT),
    "a": lambda path: write_frames(path, COUNT),
    "a.png": lambda path: write_strip(path, COUNT),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("beside", [True, False])
def test_every_kind_of_clip_has_its_sidecar(tmp_path, name, beside):
    path = WRITERS[name](tmp_path / "data/train" / name)
    annotate(path, None if beside else tmp_path / "cache/animate/annotations")
    index = FolderIndex(tmp_path / "data")
    assert (index.ignored, index.problems) == ([], [])
    truth = open_clip(index.clips("train")[0]).truth([7, 3, 3], None)
    points, found = made_up()
    np.testing.assert_array_equal(truth["points"], points[[7, 3, 3]])
    np.testing.assert_array_equal(truth["visible"], found[[7, 3, 3]])
    assert truth["layout"] == "coco17"


def test_a_range_of_a_clip_has_its_own_frames(clip):
    reader = ExcerptSource(clip.reader, 2, COUNT).open(clip)
    np.testing.assert_array_equal(reader.truth([0, 1], None)["points"], made_up()[0][2:4])


def test_a_clip_without_a_sidecar_knows_nothing(tmp_path):
    write_video(tmp_path / "data/train/a.mp4", COUNT)
    clip = FolderIndex(tmp_path / "data").clips("train")[0]
    assert open_clip(clip).truth([0], None) == {}
    with pytest.raises(UserError, match=r"a\.mp4: has no poses.*animate pose2vid prepare"):
        PoseFrame("coco18")(clip, open_clip(clip), numpy_generator(0), (32, 32))


def test_a_sidecar_of_other_content_is_not_used(tmp_path, clip):
    assert open_clip(clip).truth([0], None)
    write_video(clip.path, COUNT, lambda i: np.full((32, 48, 3), 200 - i, np.uint8))
    os.utime(clip.path, ns=(1, 1))
    with pytest.raises(SidecarError, match=r"walk \[1\]\.mp4\.pose.*out of date.*annotate it again"):
        open_clip(clip).truth([0], None)


def test_two_sidecars_are_not_guessed_between(clip):
    annotate(clip.path, backend="other")
    with pytest.raises(UserError, match=r"several sidecars.*made_up\.npz, .*other\.npz; leave one"):
        open_clip(clip).truth([0], None)


def test_a_short_sidecar_is_told(clip):
    annotate(clip.path, count=9)
    with pytest.raises(UserError, match=r"knows 9 frames, and frame 11"):
        open_clip(clip).truth([2, 11], None)


def test_a_damaged_sidecar_is_told(clip):
    next(clip.path.parent.glob("*.npz")).write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(SidecarError, match="damaged"):
        open_clip(clip).truth([0], None)


# -- views


def test_windows_are_neighbours_with_a_pose_in_every_frame(clip):
    view, reader = PoseWindow("coco17"), open_clip(clip)
    starts = []
    for seed in range(200):
        sample = view(clip, reader, numpy_generator(seed), (8, 8))
        first, second = sample["frame_index"].tolist()
        assert second == first + 1
        np.testing.assert_array_equal(sample["points"], made_up()[0][[first, second]])
        np.testing.assert_array_equal(
            sample["frames"][:, 4, 4, 0] // 4, [(20 + 7 * i) // 4 for i in (first, second)]
        )
        starts.append(first)
    assert set(starts) == {0, 1, 2, 7, 8, 9, 10}
    assert np.bincount(starts).max() < 60


def test_a_frame_is_a_window_of_one(clip):
    reader = open_clip(clip)
    seen = {
        int(PoseFrame("coco17")(clip, reader, numpy_generator(n), (8, 8))["frame_index"][0])
        for n in range(99)
    }
    assert seen == {0, 1, 2, 3, 7, 8, 9, 10, 11}
    assert PoseFrame("coco17")(clip, reader, numpy_generator(0), (8, 8))["frames"].shape == (1, 8, 8, 3)


def test_points_come_in_the_layout_that_is_asked_for(clip):
    sample = PoseFrame("coco18")(clip, open_clip(clip), numpy_generator(3), (8, 8))
    points, found = (values[sample["frame_index"]] for values in made_up())
    neck, nose, lost = COCO18.index("neck"), COCO18.index("nose"), COCO18.index("left_ear")
    both = [COCO17.index("right_shoulder"), COCO17.index("left_shoulder")]
    assert sample["points"].shape == (1, 18, 2)
    np.testing.assert_allclose(sample["points"][:, neck], points[:, both].mean(1), atol=1e-7)
    np.testing.assert_array_equal(sample["points"][:, nose], points[:, 0])
    assert sample["visible"][0, nose]
    assert not sample["visible"][0, lost]
    assert not found[0, 3]


def test_a_layout_with_nothing_in_common_is_told(clip):
    with pytest.raises(UserError, match=r"its points are coco17, none of which corresponds to one of hand21"):
        PoseFrame("hand21")(clip, open_clip(clip), numpy_generator(0), (8, 8))


def test_whole_clips_come_in_that_layout_too(clip):
    view = WholeClip(5, ("points", "visible"), "coco18")
    chunks = list(view.chunks(clip, (8, 8)))
    assert [len(chunk["points"]) for chunk in chunks] == [6, 6, 3]
    nose = np.concatenate([chunk["points"][1:, COCO18.index("nose")] for chunk in chunks])
    np.testing.assert_array_equal(nose, made_up()[0][:, 0])


def test_a_clip_with_hardly_a_pose_is_given_up(tmp_path):
    path = write_video(tmp_path / "data/train/a.mp4", 2)
    annotate(path, count=2)
    clip = FolderIndex(tmp_path / "data").clips("train")[0]
    with pytest.raises(UserError, match=r"has 2 frames, fewer than a window of 3"):
        PoseWindow("coco17", frames=3)(clip, open_clip(clip), numpy_generator(0), (8, 8))
    with pytest.raises(UserError, match=r"frames=0: a window has at least 1 frame"):
        PoseWindow("coco17", frames=0)


def test_puppets_have_poses_without_files():
    clip = PuppetIndex(kinds=["person"], size=32, frames=6).clips("train")[0]
    reader = open_clip(clip)
    sample = PoseWindow("coco18")(clip, reader, numpy_generator(0), (32, 32))
    truth = reader.truth(sample["frame_index"].tolist(), (32, 32))
    np.testing.assert_array_equal(sample["points"], truth["points"] * truth["visible"][..., None])
    np.testing.assert_array_equal(sample["visible"], truth["visible"])
    both = PuppetIndex(kinds=["person", "animal"], size=32, frames=6).clips("train")
    for one in both[:2]:
        assert open_clip(one).truth([0], None)["layout"] == "puppet_person_animal"


# -- mirrored samples


def test_a_mirrored_sample_has_the_label_of_the_mirrored_frame(clip):
    """The sides are exchanged in the points, so the label is the mirrored one with its sides exchanged."""
    index = PuppetIndex(kinds=["person"], size=64, frames=6)
    clip = index.clips("train")[0]
    sample = PoseFrame("coco18")(clip, open_clip(clip), numpy_generator(0), (64, 64))

    def batch_of():
        raw = {"tensors": {k: torch.from_numpy(v[None].copy()) for k, v in sample.items()}}
        return as_batch(raw | {"clip": ["a"], "seed": [0], "skipped": []})

    def label(batch):
        return limb_map(batch["points"][0], batch["visible"][0], COCO18, (64, 64))

    plain, flipped = batch_of(), batch_of()
    Augmentation().apply(flipped, [Draw(horizontal_flip=True)], COCO18.swap)
    limbs = [frozenset(limb) for limb in COCO18.limbs]
    exchange = torch.tensor(
        [0, *(limbs.index(frozenset(COCO18.swap[i] for i in limb)) + 1 for limb in limbs)]
    )
    assert torch.equal(flipped["frames"], plain["frames"].flip(-1))
    assert torch.equal(label(flipped).flip(-1), exchange[label(plain)])
    assert not torch.equal(label(flipped).flip(-1), label(plain))


def test_only_what_is_drawn_for_a_sample_changes_it():
    """A point outside of the picture stays what it is, whatever happens to the sample beside it."""
    points = torch.tensor([[0.5, 0.0], [1.4, 0.2]]).repeat(2, 1, 1, 1)
    batch = {
        "frames": torch.zeros(2, 1, 3, 8, 8),
        "points": points.clone(),
        "visible": torch.ones(2, 1, 2, dtype=torch.bool),
    }
    Augmentation().apply(batch, [Draw(), Draw(horizontal_flip=True)], [1, 0])
    assert torch.equal(batch["points"][0], points[0])
    torch.testing.assert_close(batch["points"][1, 0], torch.tensor([[-1.4, 0.2], [-0.5, 0.0]]))
    assert batch["visible"].all()


def test_the_module_mirrors_by_the_layout_of_its_view(clip, tmp_path):
    index = FolderIndex(tmp_path / "data")
    module = VideoDataModule(
        index,
        image_size=[16, 24],
        batch_size=1,
        train_view=PoseFrame("coco18"),
        eval_view=PoseFrame("coco18"),
        augmentation=Augmentation(horizontal_flip=1.0),
        num_workers=0,
    )
    raw = next(iter(module.train_dataloader()))
    batch = module.on_after_batch_transfer(raw, 0)
    assert batch["frames"].shape == (1, 1, 3, 16, 24)
    points = made_up()[0][batch["frame_index"][0].numpy()]
    here, there = COCO18.index("left_wrist"), COCO17.index("right_wrist")
    expected = torch.from_numpy(points[:, there] * [-1, 1]).float()
    torch.testing.assert_close(batch["points"][0, :, here], expected)


def test_poses_pass_through_the_batch(clip):
    sample = PoseWindow("coco18")(clip, open_clip(clip), numpy_generator(0), (8, 8))
    batch = as_batch(collate([]) | {"tensors": {k: torch.from_numpy(v)[None] for k, v in sample.items()}})
    assert batch["points"].shape == (1, 2, 18, 2)
    assert batch["visible"].dtype == torch.bool


def matted(clip, count=COUNT, size=(32, 48)):
    """Mattes that tell their frame: its number of tenths everywhere."""
    key = Key("mattes", "made_up", "1", content_of(clip))
    with write_sidecar(place(key, clip, None)) as writer:
        for number in range(count):
            writer.add_matte(number, np.full(size, number / 20, np.float32))
        writer.finish(Header(key, count, size, count))


def test_mattes_of_a_sidecar_are_the_masks_of_the_frames_that_are_asked_for(tmp_path):
    path = write_video(tmp_path / "data/train/walk.mp4", COUNT)
    matted(path)
    (clip,) = FolderIndex(tmp_path / "data").clips("train")
    known = open_clip(clip).truth([7, 2], (16, 20))
    assert set(known) == {"person_mask"}
    assert len(known) == 1
    mask = known["person_mask"]
    assert (mask.dtype, mask.shape) == (np.float32, (2, 16, 20))
    np.testing.assert_allclose(mask[:, 0, 0], [0.35, 0.1], atol=1 / 255)
    assert open_clip(clip).truth([7], None)["person_mask"].shape == (1, 32, 48)
    with pytest.raises(KeyError):
        known["points"]
    annotate(path)
    both = open_clip(clip).truth([7, 2], (16, 20))
    assert {"points", "visible", "layout", "person_mask"} == set(both)


def test_mattes_of_another_content_and_frames_without_one_are_refused(tmp_path):
    path = write_video(tmp_path / "data/train/walk.mp4", COUNT)
    matted(path, count=3)
    (clip,) = FolderIndex(tmp_path / "data").clips("train")
    with pytest.raises(SidecarError, match="annotate again"):
        open_clip(clip).truth([5], None)["person_mask"]
    write_video(tmp_path / "data/train/walk.mp4", COUNT - 1)
    with pytest.raises(SidecarError, match="out of date"):
        open_clip(clip).truth([1], None)["person_mask"]
