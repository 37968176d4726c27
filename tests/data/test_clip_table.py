"""Clips on their way to the data workers."""

from __future__ import annotations

import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
from fake_clips import FakeIndex

from animate.data.clip_table import ClipTable
from animate.data.dataset import ClipDataset, by_subject
from animate.data.sampler import SampleKey
from animate.data.views import FramePair


def fake_clips(count):
    return FakeIndex(train=count).clips("train")


def groups():
    clips = fake_clips(7)
    return [clips[:1], clips[1:5], clips[5:]]


def test_a_table_is_the_clips_that_went_in():
    table = ClipTable(groups())
    assert [list(group) for group in table] == groups()
    assert [len(group) for group in table] == [1, 4, 2]
    assert list(table[-1][-1:]) == groups()[-1][-1:]
    assert [list(group) for group in table[1:]] == groups()[1:]
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            table[wrong]
    with pytest.raises(IndexError):
        table[0][1]
    assert len(ClipTable([])) == 0


def test_a_worker_reads_the_same_samples():
    dataset = ClipDataset("train", groups(), FramePair(), augmentation=None, seed=0, size=(4, 4))
    before = [dataset[SampleKey(0, number)] for number in range(9)]
    sent = pickle.loads(pickle.dumps(dataset))
    assert isinstance(sent.subjects, ClipTable)
    for place in (dataset, sent):  # packing changes nothing for who stays behind
        for number, item in enumerate(before):
            again = place[SampleKey(0, number)]
            assert again.clip == item.clip
            np.testing.assert_array_equal(again.sample["frames"], item.sample["frames"])


def test_what_is_sent_does_not_grow_with_the_clips():
    """The tensors travel as handles of shared memory."""
    sizes = []
    for count in (10, 1000):
        dataset = ClipDataset(
            "train", by_subject(fake_clips(count)), FramePair(), augmentation=None, seed=0, size=(4, 4)
        )
        sizes.append(len(ForkingPickler.dumps(dataset)))
    assert abs(sizes[1] - sizes[0]) < 100
