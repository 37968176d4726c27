# ruff: noqa: ARG002  the fakes have the signatures that they have
from dataclasses import replace

import numpy as np
import pytest
from fake_clips import FakeIndex

from animate.data.dataset import ATTEMPTS, ClipDataset, by_subject, collate
from animate.data.sampler import SampleKey
from animate.data.transforms import Augmentation
from animate.data.views import FramePair

AUGMENTATION = Augmentation(time_flip=0.5, horizontal_flip=0.5, hue=0.3)


def dataset(index=None, *, seed=5, augmentation=AUGMENTATION, subjects=None, view=None):
    subjects = subjects or [[clip] for clip in (index or FakeIndex()).clips("train")]
    view = view or FramePair(truth=("points", "identity"))
    return ClipDataset("train", subjects, view, augmentation=augmentation, seed=seed, size=(8, 8))


def same(first, second):
    assert first[1:] == second[1:]
    assert first.sample.keys() == second.sample.keys()
    for key, value in first.sample.items():
        np.testing.assert_array_equal(value, second.sample[key])


def test_a_sample_is_a_function_of_seed_and_key_whatever_was_read_before():
    fresh, used = dataset(), dataset()
    for number in (4, 1, 3, 0):
        used[SampleKey(2, number)]
    same(used[SampleKey(0, 3)], fresh[SampleKey(0, 3)])


def test_seed_epoch_and_number_all_matter():
    items = [dataset(seed=s)[SampleKey(e, n)] for s, e, n in [(5, 0, 1), (6, 0, 1), (5, 1, 1), (5, 0, 7)]]
    assert len({item.seed for item in items}) == 4
    assert len({(tuple(item.sample["frame_index"]), item.draw) for item in items}) == 4


def test_the_number_decides_on_the_clip():
    assert [dataset()[SampleKey(0, n)].clip for n in (0, 5, 6, 11)] == ["clip0", "clip5", "clip0", "clip5"]


def test_another_view_leaves_the_augmentation():
    class Greedy(FramePair):
        def __call__(self, clip, reader, rng, size):
            rng.random(17)
            return super().__call__(clip, reader, rng, size)

    for number in range(20):
        plain, greedy = (dataset(view=view)[SampleKey(0, number)] for view in (FramePair(), Greedy()))
        assert plain.draw == greedy.draw
        assert plain.seed == greedy.seed


def test_time_flip_turns_everything_that_has_time():
    flipped = 0
    for number in range(40):
        key = SampleKey(0, number)
        item, plain = dataset()[key], dataset(augmentation=None)[key]
        step = -1 if item.draw.time_flip else 1
        flipped += item.draw.time_flip
        for name in ("frames", "frame_index", "points"):
            np.testing.assert_array_equal(item.sample[name], plain.sample[name][::step])
        assert item.sample["identity"] == plain.sample["identity"]
    assert 10 < flipped < 30


def test_subjects_come_first_then_one_of_their_clips():
    """Four clips of one person and one of another: both people are shown equally often."""
    clips = FakeIndex(5, subject=lambda i: "anna" if i < 4 else "bert").clips("train")
    subjects = by_subject(clips)
    assert [len(group) for group in subjects] == [4, 1]
    names = [dataset(subjects=subjects)[SampleKey(0, number)].clip for number in range(400)]
    assert names.count("clip4") == 200
    assert all(30 < names.count(f"clip{i}") < 70 for i in range(4))


def test_a_broken_clip_is_replaced_from_the_same_seed_and_told():
    broken = dataset(FakeIndex(broken=[2]))
    item = broken[SampleKey(0, 2)]
    assert [tuple(skipped) for skipped in item.skipped] == [("train/clip2", "clip2: the file is damaged")]
    assert item.clip != "clip2"
    assert item.seed == dataset()[SampleKey(0, 2)].seed
    same(item, dataset(FakeIndex(broken=[2]))[SampleKey(0, 2)])


def test_what_is_told_of_a_broken_clip_is_one_line_whatever_its_name():
    index = FakeIndex(broken=[0])
    clips = [replace(clip, name=clip.name + "\n\x1b[2J") for clip in index.clips("train")]
    (skipped,) = dataset(subjects=[[clip] for clip in clips])[SampleKey(0, 0)].skipped
    assert skipped == ("train/clip0??[2J", "clip0 ?[2J: the file is damaged")


def test_other_samples_do_not_notice_a_broken_clip():
    same(dataset(FakeIndex(broken=[2]))[SampleKey(0, 3)], dataset()[SampleKey(0, 3)])


def test_substitutes_are_spread_over_the_clips():
    broken = dataset(FakeIndex(broken=[2]))
    substitutes = {broken[SampleKey(epoch, 2)].clip for epoch in range(60)}
    assert substitutes == {"clip0", "clip1", "clip3", "clip4", "clip5"}


def test_when_nothing_can_be_read_the_batch_says_so_without_an_exception_in_the_worker():
    item = dataset(FakeIndex(broken=range(6)))[SampleKey(0, 0)]
    assert item.sample is None
    assert len(item.skipped) == ATTEMPTS
    batch = collate([item, dataset()[SampleKey(0, 1)]])
    assert not batch["complete"]
    assert batch["tensors"] == {}


def test_a_defect_of_ours_is_not_taken_for_a_broken_clip():
    class Defect(FramePair):
        def __call__(self, clip, reader, rng, size):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dataset(view=Defect())[SampleKey(0, 0)]


def test_collate_stacks():
    items = [dataset()[SampleKey(0, number)] for number in range(3)]
    batch = collate(items)
    assert batch["complete"]
    assert batch["tensors"]["frames"].shape == (3, 2, 8, 8, 3)
    assert batch["tensors"]["identity"].tolist() == [0, 1, 2]
    assert batch["clip"] == ["clip0", "clip1", "clip2"]
    assert batch["seed"] == [item.seed for item in items]


def test_seeds_are_frozen_forever():
    """Resume and comparisons between versions rest on them."""
    assert dataset(seed=0)[SampleKey(0, 0)].seed == 47985423084855061
