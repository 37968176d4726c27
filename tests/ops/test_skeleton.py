"""Limb maps and drawings against formulas written out per pixel, and against OpenCV's ellipses."""

import cv2
import numpy as np
import pytest
import torch

from animate.layouts import BODY25, BODY25_FACE_HANDS, COCO18, COCO18_FACE_HANDS, FACE68, PUPPET_ANIMAL
from animate.ops.skeleton import coloured, limb_map, one_hot, palette, rendered

SIZE = (48, 64)


def poses(layout, frames=4, seed=0, reach=1.3):
    """Random poses, some points not found and some outside of the picture."""
    rng = torch.Generator().manual_seed(seed)
    points = (torch.rand(frames, len(layout.points), 2, generator=rng) * 2 - 1) * reach
    return points, torch.rand(frames, len(layout.points), generator=rng) > 0.15


def depths(points, found, layout, size, widths):
    """(L, H, W) from the definition: (along / a)^2 + (across / b)^2 in pixels, one limb at a time."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float64)
    pixels = (points.double().numpy() + 1) / 2 * [width - 1, height - 1]
    result = np.full((len(layout.limbs), height, width), np.inf)
    for n, (i, j) in enumerate(layout.limbs):
        if found[i] and found[j]:
            (x0, y0), (x1, y1) = pixels[i], pixels[j]
            length = np.hypot(x1 - x0, y1 - y0)
            cos, sin = (x1 - x0) / length, (y1 - y0) / length
            dx, dy = x - (x0 + x1) / 2, y - (y0 + y1) / 2
            a = max(length / 2, widths[n])
            result[n] = ((dx * cos + dy * sin) / a) ** 2 + ((dy * cos - dx * sin) / widths[n]) ** 2
    return result


@pytest.mark.parametrize("layout", [COCO18, BODY25, PUPPET_ANIMAL], ids=lambda x: x.name)
def test_a_limb_map_follows_the_formula(layout):
    points, found = poses(layout)
    labels = limb_map(points, found, layout, SIZE, width=2.5)
    assert labels.shape == (4, *SIZE)
    assert labels.dtype == torch.int64
    for b in range(4):
        depth = depths(points[b], found[b], layout, SIZE, [2.5] * len(layout.limbs))
        expected = np.where(depth.min(0) <= 1, depth.argmin(0) + 1, 0)
        # On an outline, or midway between two limbs, single precision may decide otherwise.
        unsure = (np.abs(depth - 1) < 1e-4).any(0) | (np.diff(np.sort(depth, axis=0)[:2], axis=0)[0] < 1e-4)
        assert (labels[b].numpy() == expected)[~unsure].all()
        assert unsure.mean() < 0.01
        assert (expected > 0).mean() > 0.02


def test_the_18_classes_are_17_limbs_and_the_background():
    points = torch.tensor([[[-0.9 + 0.1 * i, 0.05 * (-1) ** i] for i in range(18)]])
    everywhere = torch.ones(1, 18, dtype=torch.bool)
    seen = {
        int(n)
        for shift in torch.linspace(-0.8, 0.8, 9)
        for n in limb_map(points + torch.tensor([0.0, float(shift)]), everywhere, COCO18, (128, 128)).unique()
    }
    assert len(COCO18.limbs) == 17
    assert seen <= set(range(18))
    spread, found = poses(COCO18, frames=24, reach=0.9)
    assert set(limb_map(spread, torch.ones_like(found), COCO18, (96, 96)).unique().tolist()) == set(range(18))


def test_a_limb_is_an_ellipse_of_opencv():
    """At 512 px with the default width, against the polygon that OpenPose's drawing fills."""
    points = torch.full((1, 18, 2), 0.0)
    neck, nose = COCO18.index("neck"), COCO18.index("nose")
    points[0, neck], points[0, nose] = torch.tensor([-0.4, -0.3]), torch.tensor([0.35, 0.5])
    found = torch.zeros(1, 18, dtype=torch.bool)
    found[0, [neck, nose]] = True
    (x0, y0), (x1, y1) = (points[0, [neck, nose]].numpy() + 1) / 2 * 511
    angle = np.degrees(np.arctan2(y1 - y0, x1 - x0))
    axes = (round(np.hypot(x1 - x0, y1 - y0) / 2), 4)
    polygon = cv2.ellipse2Poly((round((x0 + x1) / 2), round((y0 + y1) / 2)), axes, round(angle), 0, 360, 1)
    canvas = np.zeros((512, 512), np.uint8)
    cv2.fillConvexPoly(canvas, polygon, 1)
    ours = limb_map(points, found, COCO18, (512, 512))[0].numpy() == COCO18.limbs.index((neck, nose)) + 1
    common = (ours & (canvas == 1)).sum() / (ours | (canvas == 1)).sum()
    assert common > 0.85  # OpenCV rounds centre, axes and angle, and fills the outline's pixels whole
    assert ours.sum() == pytest.approx(np.pi * 4 * np.hypot(x1 - x0, y1 - y0) / 2, rel=0.01)


@pytest.mark.parametrize("layout", [COCO18, BODY25, COCO18_FACE_HANDS, FACE68], ids=lambda x: x.name)
def test_mirrored_points_with_exchanged_sides_draw_the_mirrored_picture_exactly(layout):
    points, found = poses(layout, frames=3)
    swap = list(layout.swap)
    other, there = points[:, swap] * torch.tensor([-1.0, 1.0]), found[:, swap]
    limbs = [frozenset(limb) for limb in layout.limbs]
    exchange = [0, *(limbs.index(frozenset(swap[i] for i in limb)) + 1 for limb in limbs)]
    for size in (SIZE, (33, 47)):
        labels = limb_map(points, found, layout, size)
        assert torch.equal(limb_map(other, there, layout, size).flip(-1), torch.tensor(exchange)[labels])


def test_a_mirrored_drawing_differs_in_the_colours_of_the_sides_only(monkeypatch):
    grey = {17: torch.full((17, 3), 0.25), 18: torch.full((18, 3), 0.5)}
    monkeypatch.setattr("animate.ops.skeleton.palette", grey.__getitem__)
    points, found = poses(COCO18, frames=3)
    swap = list(COCO18.swap)
    other, there = points[:, swap] * torch.tensor([-1.0, 1.0]), found[:, swap]
    mirrored = rendered(other, there, COCO18, SIZE).flip(-1)
    torch.testing.assert_close(mirrored, rendered(points, found, COCO18, SIZE), rtol=0, atol=1e-6)


def test_without_an_exchange_a_mirrored_map_would_be_wrong():
    points, found = poses(COCO18)
    flipped = limb_map(points * torch.tensor([-1.0, 1.0]), found, COCO18, SIZE).flip(-1)
    assert torch.equal(flipped, limb_map(points, found, COCO18, SIZE))
    swap = list(COCO18.swap)
    assert not torch.equal(flipped, limb_map(points[:, swap], found[:, swap], COCO18, SIZE))


def test_a_limb_without_an_end_is_not_drawn():
    points, found = poses(COCO18, frames=1, reach=0.8)
    found[:] = True
    before = set(limb_map(points, found, COCO18, (96, 96)).unique().tolist())
    elbow = COCO18.index("left_elbow")
    found[0, elbow], points[0, elbow] = False, torch.nan
    after = set(limb_map(points, found, COCO18, (96, 96)).unique().tolist())
    touching = {n + 1 for n, limb in enumerate(COCO18.limbs) if elbow in limb}
    assert touching <= before
    assert not touching & after
    assert torch.isfinite(rendered(points, found, COCO18, (96, 96))).all()


def test_nobody_is_an_empty_picture():
    points, found = torch.zeros(2, 18, 2), torch.zeros(2, 18, dtype=torch.bool)
    assert not limb_map(points, found, COCO18, SIZE).any()
    assert (rendered(points, found, COCO18, SIZE) == 1).all()


def test_joints_outside_of_the_picture_leave_the_part_inside():
    """A limb from the middle to far outside covers what the same ellipse covers in a larger picture."""
    inner, outer = (33, 33), (97, 97)
    points = torch.zeros(1, 18, 2)
    neck, nose = COCO18.index("neck"), COCO18.index("nose")
    points[0, nose] = torch.tensor([2.1, 1.3])
    found = torch.zeros(1, 18, dtype=torch.bool)
    found[0, [neck, nose]] = True
    small = limb_map(points, found, COCO18, inner, width=4)
    large = limb_map(points / 3, found, COCO18, outer, width=4)
    assert torch.equal(small[0], large[0, 32:65, 32:65])
    assert small.any()


def test_a_limb_that_points_at_the_viewer_is_a_disc():
    points = torch.zeros(1, 18, 2)
    found = torch.zeros(1, 18, dtype=torch.bool)
    found[0, :2] = True
    y, x = np.mgrid[-16:17, -16:17]
    disc = limb_map(points, found, COCO18, (33, 33), width=5)[0].numpy() > 0
    np.testing.assert_array_equal(disc, x**2 + y**2 <= 25)


def test_widths_follow_the_shorter_side():
    points = torch.zeros(1, 18, 2)
    points[0, :2, 0] = torch.tensor([-0.5, 0.5])
    found = torch.zeros(1, 18, dtype=torch.bool)
    found[0, :2] = True
    for size, width in (((512, 512), 4), ((256, 512), 2), ((1024, 1024), 8), ((64, 64), 1)):
        column = (limb_map(points, found, COCO18, size)[0] > 0).sum(0).max()
        assert abs(int(column) - 2 * width) <= 1


def test_a_drawing_blends_as_its_words_say():
    points, found = poses(COCO18, frames=2, reach=0.8)
    picture = rendered(points, found, COCO18, SIZE, width=2.0, radius=3.0)
    limbs, joints = palette(17).double().numpy(), palette(18).double().numpy()
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for b in range(2):
        pixels = (points[b].double().numpy() + 1) / 2 * [SIZE[1] - 1, SIZE[0] - 1]
        discs = np.stack([(x - px) ** 2 + (y - py) ** 2 <= 9 for px, py in pixels])
        discs &= found[b].numpy()[:, None, None]
        ellipses = depths(points[b], found[b], COCO18, SIZE, [2.0] * 17) <= 1
        expected = np.ones((*SIZE, 3))
        for covered, colours, opacity in ((discs, joints, 1.0), (ellipses, limbs, 0.6)):
            n = covered.sum(0)[..., None]
            mean = np.einsum("nhw,nc->hwc", covered, colours) / np.maximum(n, 1)
            expected = np.where(
                n > 0, expected * (1 - opacity) ** n + mean * (1 - (1 - opacity) ** n), expected
            )
        wrong = np.abs(picture[b].movedim(0, -1).numpy() - expected).max(-1) > 1e-5
        assert wrong.mean() < 1e-3  # pixels on an outline
        assert (expected < 1).any()


def test_faces_and_hands_are_drawn_finer_and_only_where_lines_join_them():
    layout = BODY25_FACE_HANDS
    found = torch.zeros(2, len(layout.points), dtype=torch.bool)
    points = torch.zeros(2, len(layout.points), 2)
    body, finger = layout.index("right_wrist"), layout.index("right_hand.index_1")
    lonely = layout.index("face.lips_inner_3")
    found[0, [body, lonely]], found[1, [finger, lonely]] = True, True
    points[:, lonely] = 0.7
    covered = (rendered(points, found, layout, (65, 65), width=4, radius=12) < 1).any(1).sum((1, 2))
    assert int(covered[0]) == pytest.approx(np.pi * 12**2, rel=0.03)
    assert int(covered[1]) == pytest.approx(np.pi * 6**2, rel=0.06)


def test_a_map_as_channels_and_as_a_picture():
    labels = torch.tensor([[[0, 3], [17, 1]]])
    channels = one_hot(labels, 18)
    assert channels.shape == (1, 18, 2, 2)
    assert torch.equal(channels.argmax(1), labels)
    assert torch.equal(channels.sum(1), torch.ones(1, 2, 2))
    picture = coloured(labels, 18)
    assert torch.equal(picture[0, :, 0, 0], torch.ones(3))
    assert torch.equal(picture[0, :, 1, 0], palette(17)[16])
    assert len({tuple(colour.tolist()) for colour in palette(17)}) == 17
