"""The puppets' back-end against the truth about drawn frames."""

import numpy as np
import pytest

from animate.annotate import backends
from animate.data.clips import open_clip
from animate.data.synthetic import KINDS, PuppetIndex
from animate.layouts import layout_named
from animate.video.decode import stream
from animate.video.encode import VideoWriter

FRAMES = [3, 17, 30]
SIZES = [(128, 128), (160, 288)]
KIND_NAMES = [kind.name for kind in KINDS]


@pytest.fixture(scope="module")
def drawn():
    """Clips of all kinds: their frames by size, the truth, who it is."""
    clips = []
    for clip in PuppetIndex(test_clips=18, seed=11).clips("test"):
        reader = open_clip(clip)
        truth = reader.truth(FRAMES, None)
        pictures = {size: reader.frames(FRAMES, size) for size in SIZES}
        clips.append((clip.reader, pictures, truth["points"], truth["visible"]))
    return clips


def worst(found, points, visible, size):
    """The largest distance in pixels."""
    away = np.linalg.norm((found - points) * (np.array(size[::-1]) - 1) / 2, axis=-1)
    return away[visible].max()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_joints_are_found_to_a_pixel_whatever_the_kind(drawn, size):
    finder = backends.poses("puppet")
    for _, pictures, points, visible in drawn:
        pose = finder(pictures[size])
        assert pose.layout == finder.layout == "puppet"
        np.testing.assert_array_equal(pose.found, visible)
        assert worst(pose.points, points, visible, size) <= 1.0
        assert not pose.points[~pose.found].any()
        assert (pose.score[pose.found] > 0.5).all()
        assert not pose.score[~pose.found].any()


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_named_kind_has_its_own_layout(drawn, kind):
    finder, every = backends.landmarks(f"puppet_{kind}"), backends.landmarks("puppet")
    columns = [name.startswith(f"{kind}.") for name in layout_named("puppet").points]
    for puppet, pictures, _, _ in drawn:
        if puppet.kind == kind:
            own, whole = finder(pictures[SIZES[0]]), every(pictures[SIZES[0]])
            assert own.points.shape[1] == len(layout_named(finder.layout).points)
            np.testing.assert_array_equal(own.points, whole.points[:, columns])


def test_frames_of_different_kinds_are_told_apart_in_one_call(drawn):
    chosen = drawn[:6]
    pose = backends.poses("puppet")(np.stack([pictures[SIZES[0]][0] for _, pictures, _, _ in chosen]))
    np.testing.assert_array_equal(pose.found, np.stack([visible[0] for _, _, _, visible in chosen]))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_identity_is_always_right(drawn, size):
    recogniser = backends.recogniser("puppet")
    known = {}
    for puppet, pictures, _, _ in drawn:
        who = recogniser(pictures[size])
        assert who.found.all()
        np.testing.assert_allclose(np.linalg.norm(who.embedding, axis=1), 1.0, rtol=1e-6)
        for embedding in who.embedding:
            for other, theirs in known.items():
                near = np.linalg.norm(embedding - theirs) < recogniser.threshold
                assert near == (other == (puppet.kind, puppet.identity))
            known[puppet.kind, puppet.identity] = embedding
    assert len(known) == len({(puppet.kind, puppet.identity) for puppet, *_ in drawn}) > 10


def test_a_joint_that_is_painted_over_is_missing_and_only_that(drawn):
    _, pictures, points, visible = drawn[0]
    frames = pictures[SIZES[0]].copy()
    joint = int(np.flatnonzero(visible[0])[0])
    x, y = np.rint((points[0, joint] + 1) / 2 * 127).astype(int)
    frames[0, max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5] = 128
    pose = backends.poses("puppet")(frames[:1])
    apart = np.linalg.norm(points[0] - points[0, joint], axis=-1) > 0.16
    assert not pose.found[0, joint]
    np.testing.assert_array_equal(pose.found[0, apart], visible[0, apart])


def test_what_is_no_puppet_has_no_joints_and_no_identity():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    frames = np.concatenate([np.zeros_like(noise), np.full_like(noise, 200), noise])
    assert not backends.poses("puppet")(frames).found.any()
    who = backends.recogniser("puppet")(frames)
    assert not who.found.any()
    assert not who.embedding.any()


def test_a_few_bright_spots_are_no_puppet(drawn):
    """Three markers alone, as a curtain or a ball may look like."""
    _, pictures, points, visible = drawn[0]
    frame = pictures[SIZES[0]][:1]
    kept = np.full_like(frame, 128)
    places = points[0, visible[0]]
    apart = np.sort(np.linalg.norm(places[:, None] - places, axis=-1), axis=1)[:, 1]
    for place in places[np.argsort(apart)[-3:]]:  # those with no other marker near them
        x, y = np.rint((place + 1) / 2 * 127).astype(int)
        around = np.s_[0, max(y - 5, 0) : y + 6, max(x - 5, 0) : x + 6]
        kept[around] = frame[around]
    for picture, found in ((frame, True), (kept, False)):
        assert backends.poses("puppet")(picture).found.any() == found
        assert backends.recogniser("puppet")(picture).found.any() == found


def test_puppets_are_found_in_compressed_video(drawn, tmp_path):
    finder, recogniser = backends.poses("puppet"), backends.recogniser("puppet")
    for puppet, pictures, points, visible in drawn[:6]:
        with VideoWriter(tmp_path / "puppet.mp4", 25, overwrite=True) as writer:
            for image in pictures[SIZES[0]]:
                writer.write(image)
        frames = np.stack([frame.image for frame in stream(tmp_path / "puppet.mp4")])
        pose = finder(frames)
        assert (pose.found & visible).sum() >= 0.95 * visible.sum(), puppet
        assert worst(pose.points, points, visible & pose.found, SIZES[0]) <= 2.5
        drawn_as = recogniser(pictures[SIZES[0]]).embedding
        np.testing.assert_array_equal(recogniser(frames).embedding, drawn_as)


def test_no_frames_are_no_answers():
    none = np.zeros((0, 64, 64, 3), np.uint8)
    assert backends.poses("puppet")(none).points.shape == (0, 55, 2)
    assert backends.recogniser("puppet")(none).embedding.shape == (0, 33)
