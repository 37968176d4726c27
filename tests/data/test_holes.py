"""Holes: their shapes, their share of the picture, where they lie and how they move."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest

from animate.data.export import write_clip
from animate.data.hole_shapes import Blobs, Silhouettes
from animate.data.holes import Hole, Holes
from animate.data.index import FolderIndex
from animate.data.synthetic import PuppetIndex
from animate.errors import UserError

SIZE = (64, 80)
PEOPLE = PuppetIndex(train_clips=6, val_clips=1, test_clips=3, frames=6, kinds=["person"])


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shapes", [Blobs(), Silhouettes(PEOPLE)], ids=["blobs", "silhouettes"])
def test_a_hole_takes_the_share_that_was_asked_for(shapes):
    holes = Holes(shapes, share=(0.1, 0.12), drift=0)
    for seed in range(6):
        mask = holes.draw(rng(seed), 1, "train").masks([0], SIZE)
        assert mask.shape == (1, *SIZE)
        assert mask.dtype == np.float32
        assert set(np.unique(mask)) == {0, 1}
        assert mask.mean() == pytest.approx(0.11, abs=0.02)


def test_shares_are_spread_over_the_range():
    shares = [
        Holes(Blobs(), share=(0.05, 0.25)).draw(rng(seed), 1, "train").masks([0], SIZE).mean()
        for seed in range(60)
    ]
    assert min(shares) < 0.08
    assert max(shares) > 0.2
    assert np.mean(shares) == pytest.approx(0.15, abs=0.03)


def test_holes_are_all_over_the_picture_mirrored_or_not():
    holes = Holes(Blobs(), share=(0.05, 0.1))
    drawn = [holes.draw(rng(seed), 1, "train") for seed in range(40)]
    covered = np.mean([hole.masks([0], SIZE)[0] for hole in drawn], axis=0)
    assert (covered > 0).any(axis=0).mean() > 0.95, "columns"
    assert (covered > 0).any(axis=1).mean() > 0.95, "rows"
    assert covered.max() < 0.4, "nowhere all the time"
    assert {hole.mirrored for hole in drawn} == {True, False}


def test_a_hole_is_a_function_of_its_generator():
    holes = Holes(Silhouettes(PEOPLE))
    again = pickle.loads(pickle.dumps(holes))
    for seed in range(3):
        ours, theirs = (h.draw(rng(seed), 4, "train").masks(range(4), SIZE) for h in (holes, again))
        np.testing.assert_array_equal(ours, theirs)


def test_a_square_is_put_exactly_where_it_belongs():
    """Half of a 10x10 square's canvas, grown to a share of 0.25 of 40x40: a square of 20 in its corner."""
    shape = np.zeros((20, 20), np.float32)
    shape[5:15, 5:15] = 1
    hole = Hole(lambda _: shape, 3, 0.25, mirrored=False, place=(0.0, 1.0), drift=(0.5, 0.0))
    first, middle, last = hole.masks([0, 1, 2], (40, 40))
    expected = np.zeros((40, 40))
    expected[20:, :20] = 1
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(middle, np.roll(expected, 10, axis=1))
    np.testing.assert_array_equal(last, np.roll(expected, 20, axis=1))


def test_drift_stops_at_the_edge_and_a_large_hole_is_cut_by_it():
    shape = np.ones((10, 10), np.float32)
    hole = Hole(lambda _: shape, 2, 0.25, mirrored=False, place=(0.5, 0.5), drift=(5.0, 0.0))
    last = hole.masks([1], (40, 40))[0]
    assert last[:, -20:].sum() == 400
    tall = np.ones((40, 4), np.float32)
    mask = Hole(lambda _: tall, 1, 0.4, mirrored=False, place=(0.5, 0.5), drift=(0.0, 0.0)).masks(
        [0], (40, 40)
    )
    assert mask[0].any(axis=1).all(), "it crosses the picture"
    assert mask.mean() < 0.4


def test_splits_have_other_persons():
    silhouettes = Silhouettes(PEOPLE)
    known = {
        split: [
            clip.reader.open(clip).truth(range(6), (128, 128))["person_mask"] for clip in PEOPLE.clips(split)
        ]
        for split in ("train", "test")
    }
    for split in known:
        for seed in range(4):
            shown = silhouettes.draw(rng(seed), split)(0)
            of = {
                s: any((shown == frame).all() for clip in clips for frame in clip)
                for s, clips in known.items()
            }
            assert of == {s: s == split for s in known}


def test_a_silhouette_moves_as_its_person_and_turns_back_at_the_end():
    clip = PEOPLE.clips("val")[0]
    truth = clip.reader.open(clip).truth(range(6), (128, 128))["person_mask"]
    shape = Silhouettes(PEOPLE).draw(rng(1), "val")
    frames = [int(np.flatnonzero([(shape(i) == one).all() for one in truth])[0]) for i in range(12)]
    assert all(abs(a - b) == 1 for a, b in pairwise(frames))
    assert {0, 5} <= set(frames)


def test_people_in_files_are_known_by_their_sidecars(tmp_path):
    clip = PEOPLE.clips("train")[0]
    write_clip(clip, tmp_path / "people", (64, 64), ".mp4")
    index = FolderIndex(tmp_path / "people", flat="train")
    shown = Silhouettes(index).draw(rng(), "test")(0)
    truth = clip.reader.open(clip).truth(range(6), (64, 64))["person_mask"]
    # Kept at 64x64 in 8 bit, shown at 128x128.
    small = shown.reshape(64, 2, 64, 2).mean((1, 3))
    assert min(np.abs(small - one).mean() for one in truth) < 0.02
    for sidecar in (tmp_path / "people").glob("*mattes*"):
        sidecar.unlink()
    with pytest.raises(UserError, match="animate annotate mattes"):
        Silhouettes(FolderIndex(tmp_path / "people", flat="train")).draw(rng(), "train")


class Nobody:
    """People without anybody in them."""

    problems = ()

    def clips(self, split):
        return [clip.__class__(**{**vars_of(clip), "reader": self}) for clip in PEOPLE.clips(split)]

    def open(self, clip):  # noqa: ARG002
        return self

    def truth(self, indices, size):
        return {"person_mask": np.zeros((len(indices), *size), np.float32)}


def vars_of(clip):
    return {name: getattr(clip, name) for name in clip.__slots__}


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="hardly a frame with a figure"):
        Silhouettes(Nobody()).draw(rng(), "train")
    with pytest.raises(UserError, match="share"):
        Holes(Blobs(), share=(0.3, 0.1))
    with pytest.raises(UserError, match="drift"):
        Holes(Blobs(), drift=-1)
    with pytest.raises(UserError, match="not in the picture"):
        Hole(lambda _: np.zeros((8, 8), np.float32), 1, 0.1, False, (0, 0), (0, 0)).masks([0], (8, 8))
