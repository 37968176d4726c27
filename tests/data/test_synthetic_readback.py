"""Joints and identity of a puppet, found in its picture: by the product's reader, and by one written here."""

import cv2
import numpy as np
import pytest

from animate.data.clips import open_clip
from animate.data.synthetic import KINDS, PuppetIndex, read_identity, read_joints
from animate.data.synthetic.palette import GARMENTS, garment_digits, identity_of, marker_colours, muted

KIND_NAMES = [kind.name for kind in KINDS]
FRAMES = [1, 13, 26]


def marked(kind, count, size=128):
    """Yield pictures with their true points, visible flags and identity."""
    for clip in PuppetIndex(kinds=[kind], test_clips=count, size=size).clips("test"):
        reader = open_clip(clip)
        truth = reader.truth(FRAMES, None)
        pictures = reader.frames(FRAMES, None)
        yield from (
            (image, points, visible, clip.reader.identity)
            for image, points, visible in zip(pictures, truth["points"], truth["visible"], strict=True)
        )


def pixel_errors(found, points, size):
    return np.linalg.norm(found - points, axis=-1) * (size - 1) / 2


@pytest.mark.parametrize("kind", KINDS, ids=KIND_NAMES)
def test_each_visible_joint_has_its_colour_at_its_place_and_hidden_ones_have_none(kind):
    colours = np.array(marker_colours(len(kind.joints)), dtype=float)
    for image, points, visible, _ in marked(kind.name, 4):
        for j, point in enumerate(points):
            like = (np.abs(image - colours[j]).max(axis=2) < 20).astype(float)
            if not visible[j]:
                assert like.sum() == 0
                continue
            rows, columns = np.nonzero(like)
            centre = np.array([columns.mean(), rows.mean()]) / (127 / 2) - 1.0
            assert pixel_errors(centre, point, 128) < 0.75
            # Four pixels across cover at least pi * 2^2 pixels; those at the rim are blended.
            assert like.sum() >= 12


@pytest.mark.parametrize("blur", [0.0, 0.8])
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_joints_are_read_to_less_than_a_pixel(kind, blur):
    for image, points, visible, _ in marked(kind, 6):
        seen = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
        found_points, found = read_joints(seen, kind)
        np.testing.assert_array_equal(found, visible)
        assert pixel_errors(found_points, points, 128)[visible].max() < 0.75
        assert not found_points[~found].any()


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_joints_are_read_at_other_sizes(kind):
    for size in (64, 256):
        missed = total = 0
        for image, points, visible, _ in marked(kind, 3, size):
            found_points, found = read_joints(image, kind)
            assert pixel_errors(found_points, points, size)[visible & found].max() < 1.0
            missed, total = missed + int((visible & ~found).sum()), total + int(visible.sum())
        assert missed <= 0.01 * total


def test_a_picture_without_markers_has_no_joints():
    clip = PuppetIndex(kinds=["face"], markers=False).clips("val")[0]
    points, found = read_joints(open_clip(clip).frames([0], (128, 128))[0], "face")
    assert not found.any()
    assert not points.any()


def test_a_mirrored_picture_has_mirrored_joints():
    for image, points, visible, _ in marked("person", 2):
        found_points, found = read_joints(image[:, ::-1].copy(), "person")
        np.testing.assert_array_equal(found, visible)
        assert pixel_errors(found_points, points * [-1.0, 1.0], 128)[visible].max() < 0.75


@pytest.mark.parametrize("blur", [0.0, 0.8])
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_identity_is_read_from_the_garments(kind, blur):
    wrong = 0
    for image, _, _, identity in marked(kind, 12):
        seen = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
        wrong += read_identity(seen, kind, *read_joints(seen, kind)) != identity
    assert wrong <= (1 if blur else 0)


def test_identity_is_read_without_markers_where_the_joints_are_known():
    for clip in PuppetIndex(kinds=["animal"], markers=False, test_clips=6).clips("test"):
        reader = open_clip(clip)
        truth = reader.truth([4], None)
        image = reader.frames([4], (128, 128))[0]
        assert read_identity(image, "animal", truth["points"][0], truth["visible"][0]) == clip.reader.identity


def test_an_unseen_figure_has_no_identity():
    grey = np.full((128, 128, 3), 128, np.uint8)
    assert read_identity(grey, "person", np.zeros((18, 2)), np.zeros(18, bool)) is None


def test_the_identity_code_is_a_bijection():
    codes = {garment_digits(identity) for identity in range(1000)}
    assert len(codes) == 1000
    assert all(identity_of(garment_digits(identity)) == identity for identity in range(1000))


def test_garments_are_apart_and_muted():
    colours = np.array(GARMENTS, dtype=float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert apart[~np.eye(len(colours), dtype=bool)].min() > 55
    assert all(muted(colour) == colour for colour in GARMENTS)


@pytest.mark.parametrize("count", [len(kind.joints) for kind in KINDS])
def test_marker_colours_are_pure_and_apart(count):
    colours = np.array(marker_colours(count), dtype=float)
    assert (colours.max(axis=1) == 255).all()
    assert (colours.min(axis=1) == 0).all()
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert apart[~np.eye(count, dtype=bool)].min() > 50
