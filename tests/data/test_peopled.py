"""Scenes with people in them: puppets whose mattes and backgrounds are known."""

from __future__ import annotations

import numpy as np
import pytest

from animate.data.clips import open_clip
from animate.data.export import write_clip
from animate.data.hole_shapes import SIDE, Silhouettes
from animate.data.holes import Hole, Holes
from animate.data.index import FolderIndex
from animate.data.peopled import PeopledScenes
from animate.data.synthetic import PuppetIndex, SceneIndex
from animate.ops.random import mix, numpy_generator

PEOPLE = PuppetIndex(train_clips=1, val_clips=1, test_clips=3, frames=6, kinds=["person"])
SIZE, T = (40, 56), 4


def peopled(frames=T, seed=0, drift=0.5, share=(0.05, 0.3), **settings):
    scenes = SceneIndex(**({"test_clips": 6, "frames": 4, "size": 40} | settings)).clips("test")
    return PeopledScenes(scenes, Holes(Silhouettes(PEOPLE), share, drift), frames, SIZE, seed)


@pytest.fixture(scope="module")
def data():
    return peopled()


def test_what_is_shown_is_the_person_over_the_scene(data):
    for number in range(len(data)):
        one = data[number]
        assert one.clean.shape == one.shown.shape == (T, *SIZE, 3)
        assert one.matte.shape == one.hole.shape == (T, *SIZE)
        assert one.clean.dtype == one.shown.dtype == np.uint8
        assert 0 <= one.matte.min() <= one.matte.max() <= 1
        assert (one.matte == 1).mean() > 0.02
        np.testing.assert_array_equal(one.shown[one.matte == 0], one.clean[one.matte == 0])
        np.testing.assert_array_equal(one.hole, one.matte > 0.5)


def test_the_clean_scene_is_the_scene(data):
    for number, clip in enumerate(data.scenes):
        np.testing.assert_array_equal(data[number].clean, open_clip(clip).frames(range(T), SIZE))
        assert data[number].name == clip.name


def test_the_scene_does_not_shine_through_the_person():
    """The same person before other scenes: equal where nothing but the person is, mixed at the edges."""
    one, other = peopled(), peopled()
    other.scenes[:] = other.scenes[1:] + other.scenes[:1]
    a, b = one[0], other[0]
    np.testing.assert_array_equal(a.matte, b.matte)
    solid = a.matte > 1 - 1e-6
    assert solid.mean() > 0.02
    assert np.abs(a.clean[solid].astype(int) - b.clean[solid]).mean() > 5
    np.testing.assert_array_equal(a.shown[solid], b.shown[solid])
    person_a, person_b = (
        x.shown.astype(float) - (1 - x.matte[..., None]) * x.clean.astype(float) for x in (a, b)
    )
    clipped = ((a.shown == 255) | (b.shown == 255)).any(-1)
    assert np.abs(person_a - person_b)[~clipped].max() <= 1, "rounded twice"


def test_the_person_is_the_puppet_and_nothing_of_its_background():
    """Where figures are at most half of their clip, their own scenes would show as a rim or a box."""
    clip = PEOPLE.clips("test")[0]
    person = next(p for seed in range(50) if (p := drawn(seed)).clip == clip)
    reader = open_clip(clip)
    number = person.start
    shown, truth = reader.frames([number], (SIDE, SIDE))[0], reader.truth([number], (SIDE, SIDE))
    matte, background = truth["person_mask"][0], truth["background"][0]
    np.testing.assert_array_equal(person(0), matte)
    colours = person.colours(0)
    assert np.abs(colours[matte == 0]).max() == 0
    np.testing.assert_array_equal(colours[matte == 1], shown[matte == 1])
    back = colours + (1 - matte[..., None]) * background
    assert np.abs(back - shown).max() <= 1


def drawn(seed):
    return Silhouettes(PEOPLE).draw(np.random.default_rng(seed), "test")


def test_people_of_files_are_shown_by_their_mattes(tmp_path):
    write_clip(PEOPLE.clips("test")[0], tmp_path, (64, 64), ".mp4")
    person = Silhouettes(FolderIndex(tmp_path, flat="train")).draw(np.random.default_rng(0), "test")
    shown = open_clip(person.clip).frames([person.start], (SIDE, SIDE))[0]
    np.testing.assert_allclose(person.colours(0), shown * person(0)[..., None], atol=1e-3)


def test_everything_follows_from_the_seed(data):
    again, other = peopled(), peopled(seed=1)
    for number in range(3):
        for ours, theirs in zip(data[number][1:], again[number][1:], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(data[number].clean, other[number].clean)
        assert (data[number].hole != other[number].hole).any()


def test_holes_are_those_of_the_scenes_with_holes(data):
    """As ``HoledScenes`` draws them: by (seed, split, number)."""
    rng = numpy_generator(mix(0, 2, 1))
    hole = Holes(Silhouettes(PEOPLE), (0.05, 0.3), 0.5).draw(rng, T, "test")
    np.testing.assert_array_equal(data[1].hole, hole.masks(range(T), SIZE))


def test_a_picture_stands_still_while_the_person_moves():
    one = peopled(frames=5, test_clips=1)[0]
    assert (one.clean[3] == one.clean[4]).all(), "four frames: the last one stays"
    assert (one.hole[3] != one.hole[4]).any()


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames(frames):
    one = peopled(frames=frames, test_clips=2)[1]
    assert len(one.clean) == len(one.shown) == len(one.matte) == len(one.hole) == frames


def test_colours_are_put_where_the_matte_is():
    """A square of which the left half is red, mirrored: its right half is."""
    shape, colours = np.zeros((20, 20), np.float32), np.zeros((20, 20, 3), np.float32)
    shape[5:15, 5:15], colours[5:15, 5:10, 0], colours[5:15, 10:15, 2] = 1, 200, 100
    for mirrored in (False, True):
        hole = Hole(lambda _: shape, 2, 0.25, mirrored=mirrored, place=(0.0, 1.0), drift=(0.5, 0.0))
        placed = hole.placed(lambda _: colours, [0, 1, 1], (40, 40))
        assert placed.shape == (3, 40, 40, 3)
        left, right = ((0, 100), (200, 0)) if mirrored else ((200, 0), (0, 100))
        mattes = hole.placed(hole.shape, [0, 1, 1], (40, 40))
        for frame, matte, start in zip(placed, mattes, (0, 20, 20), strict=True):
            np.testing.assert_array_equal(frame[25, start + 4, [0, 2]], left)
            np.testing.assert_array_equal(frame[25, start + 15, [0, 2]], right)
            assert frame[matte == 0].max() == 0
            assert frame[matte == 1].max() == 200
