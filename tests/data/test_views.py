import numpy as np
import pytest
from fake_clips import FakeIndex

from animate.data.views import FramePair, Reconstruction
from animate.errors import UserError
from animate.ops.random import numpy_generator


def take(view, seed=0, frames=20):
    clip = FakeIndex(frames=frames).clips("train")[3]
    return view(clip, clip.reader.open(clip), numpy_generator(seed), (6, 8))


def test_a_pair_is_sorted_in_time_and_holds_the_frames_it_names():
    for seed in range(50):
        sample = take(FramePair(), seed)
        assert sample["frames"].shape == (2, 6, 8, 3)
        assert sample["frame_index"][0] <= sample["frame_index"][1]
        assert sample["frames"][:, 0, 0, 1].tolist() == sample["frame_index"].tolist()


def test_pairs_are_drawn_with_replacement_over_all_frames():
    pairs = np.array([take(FramePair(), seed, frames=5)["frame_index"] for seed in range(3000)])
    assert np.bincount(pairs.ravel(), minlength=5) / pairs.size == pytest.approx([0.2] * 5, abs=0.03)
    assert (pairs[:, 0] == pairs[:, 1]).mean() == pytest.approx(1 / 5, abs=0.03)


def test_a_clip_of_one_frame_gives_it_twice():
    assert take(FramePair(), frames=1)["frame_index"].tolist() == [0, 0]


def test_only_annotations_that_a_view_names_are_computed():
    sample = take(FramePair(truth=("points", "identity")))
    assert set(sample) == {"frames", "frame_index", "points", "identity"}
    assert sample["points"].shape == (2, 2, 2)
    assert set(take(FramePair())) == {"frames", "frame_index"}


def test_a_missing_annotation_is_named():
    with pytest.raises(UserError, match=r"clip3: has no annotation background.*`animate annotate`"):
        take(FramePair(truth=("background",)))


def test_reconstruction_is_even_and_without_chance():
    first, second = (take(Reconstruction(frames=5), seed)["frame_index"] for seed in (0, 1))
    assert first.tolist() == second.tolist() == [0, 5, 10, 14, 19]


def test_reconstruction_of_a_short_clip_repeats_frames():
    assert take(Reconstruction(frames=5), frames=2)["frame_index"].tolist() == [0, 0, 0, 1, 1]


def test_reconstruction_needs_a_frame_to_rebuild():
    with pytest.raises(UserError, match=r"data.eval_view.frames=1"):
        Reconstruction(frames=1)
