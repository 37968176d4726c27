"""One puppet in one place, in many motions."""

from __future__ import annotations

import numpy as np

from animate.data.index import SPLITS
from animate.data.synthetic import OnePuppetIndex


def test_only_the_motion_differs() -> None:
    index = OnePuppetIndex(train_clips=5, val_clips=3, test_clips=3, size=64)
    clips = [clip for split in SPLITS for clip in index.clips(split)]
    for shared in ("identity", "look", "scene", "kind"):
        assert len({getattr(clip.reader, shared) for clip in clips}) == 1
    assert len({clip.reader.motion for clip in clips}) == len(clips) == 11
    assert len({clip.name for clip in clips}) == 11


def test_another_seed_is_another_puppet_in_another_motion() -> None:
    readers = [OnePuppetIndex(seed=seed).clips("train")[0].reader for seed in range(2)]
    for differs in ("identity", "look", "scene", "motion"):
        assert len({getattr(reader, differs) for reader in readers}) == 2


def test_held_out_poses_are_new() -> None:
    """No test frame has a training frame whose joints all lie within two pixels at 128."""
    index = OnePuppetIndex(train_clips=20, test_clips=2, frames=16)
    poses = {
        split: np.concatenate(
            [clip.reader.open(clip).truth(range(16), None)["points"] for clip in index.clips(split)]
        )
        for split in ("train", "test")
    }
    furthest = np.abs(poses["test"][:, None] - poses["train"]).max(axis=(2, 3)).min(axis=1) * 127 / 2
    assert np.median(furthest) > 2
