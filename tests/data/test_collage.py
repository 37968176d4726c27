"""Collages: scenes of nothing, of which training can have any number."""

from __future__ import annotations

import numpy as np
import pytest

from animate.data.synthetic import SceneIndex
from animate.data.synthetic.chance import Chance
from animate.data.synthetic.places import FAMILIES, PUPPETS, draw_scene

TIMES = np.zeros(1)


def picture(seed, size=(24, 24)):
    return draw_scene(Chance(seed), TIMES, ("collage",)).paint(size, 0)


@pytest.fixture(scope="module")
def pictures():
    return np.stack([np.asarray(picture(seed), float) for seed in range(200)])


def test_a_collage_is_a_function_of_its_seed(pictures):
    for seed in range(5):
        np.testing.assert_array_equal(np.asarray(picture(seed), float), pictures[seed])
    flat = pictures.reshape(len(pictures), -1)
    assert len(np.unique(flat, axis=0)) == len(flat), "no two are equal"


def test_none_is_empty_or_broken(pictures):
    assert np.isfinite(pictures).all()
    spread = pictures.reshape(len(pictures), -1).std(1) / pictures.max()
    assert spread.min() > 0.01
    assert np.median(spread) > 0.08


def test_there_is_something_everywhere_in_the_end(pictures):
    """Shapes are of any colour and lie anywhere: no place of the picture is always alike."""
    across = pictures.std(0).mean(-1) / pictures.max()
    assert across.min() > 0.08


def test_plain_ones_and_busy_ones(pictures):
    edges = (np.abs(np.diff(pictures, axis=2)) / pictures.max() > 0.05).any(-1).mean((1, 2))
    assert np.quantile(edges, 0.1) < 0.1
    assert np.quantile(edges, 0.9) > 0.3


def test_training_can_have_them_and_puppets_do_not_stand_in_them():
    index = SceneIndex(train_families=["collage"], train_clips=2, size=24)
    clip = index.clips("train")[1]
    assert clip.subject == "collage"
    frames = clip.reader.open(clip).frames([0], None)
    assert frames.shape == (1, 24, 24, 3)
    assert frames.std() > 2
    assert "collage" in FAMILIES
    assert "collage" not in PUPPETS
