"""Smoothing of mattes against formulas, and on puppets whose true mattes are known."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from animate.annotate import backends
from animate.data.synthetic import PuppetIndex
from animate.pipelines.matte_smoothing import Shown, Smoothing, causal, drawn_to_edges, motion, offline

FPS = 25.0
SIZE = (64, 64)


def shown(pictures, mattes):
    return [
        Shown(torch.as_tensor(picture).float(), torch.as_tensor(matte).float()[None])
        for picture, matte in zip(pictures, mattes, strict=True)
    ]


@pytest.fixture(scope="module")
def still():
    """Noisy mattes of a picture that stands still: (12, 8, 9)."""
    rng = np.random.default_rng(0)
    return shown([rng.random((3, 8, 9))] * 12, rng.random((12, 8, 9)))


@pytest.fixture(scope="module")
def changing():
    rng = np.random.default_rng(1)
    return shown(rng.random((12, 3, 8, 9)), rng.random((12, 8, 9)))


def stacked(items):
    return torch.stack(list(items))[:, 0].numpy()


def raw(items):
    return stacked(one.matte for one in items)


def test_causal_is_an_exponential_mean_where_nothing_moves(still):
    settings = Smoothing(cutoff=1.5, speed=0.0)
    rate = 2 * np.pi * 1.5 / FPS
    share = rate / (1 + rate)
    first = raw(still)[0]
    expected, _ = lfilter([share], [1, share - 1], raw(still), axis=0, zi=(1 - share) * first[None])
    np.testing.assert_allclose(stacked(causal(still, FPS, settings)), expected, atol=1e-5)


def test_causal_follows_the_one_euro_formula(still):
    """Written out in NumPy: the cutoff rises with the filtered speed."""
    settings = Smoothing(cutoff=0.7, speed=0.4)

    def share(cutoff):
        return 1 / (1 + FPS / (2 * np.pi * cutoff))

    mattes = raw(still)
    smooth, speed, expected = mattes[0], np.zeros_like(mattes[0]), [mattes[0]]
    for before, now in pairwise(mattes):
        speed = speed + share(1.0) * ((now - before) * FPS - speed)
        smooth = smooth + share(0.7 + 0.4 * np.abs(speed)) * (now - smooth)
        expected.append(smooth)
    np.testing.assert_allclose(stacked(causal(still, FPS, settings)), expected, atol=1e-5)


def test_what_moves_is_taken_as_it_comes(changing):
    np.testing.assert_allclose(stacked(causal(changing, FPS)), raw(changing), atol=1e-4)
    np.testing.assert_allclose(stacked(offline(changing)), raw(changing), atol=1e-4)


def test_offline_is_a_gaussian_mean_where_nothing_moves(still):
    settings = Smoothing(reach=3)
    weights = np.exp(-0.5 * (2 * np.arange(-3, 4) / 3) ** 2)
    mattes = raw(still)
    expected = []
    for n in range(len(mattes)):
        near = [k for k in range(-3, 4) if 0 <= n + k < len(mattes)]
        expected.append(sum(weights[k + 3] * mattes[n + k] for k in near) / sum(weights[k + 3] for k in near))
    np.testing.assert_allclose(stacked(offline(still, settings)), expected, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 12])
def test_offline_does_not_know_the_direction_of_time(changing, still, count):
    some = [*still[: count // 2], *changing[: count - count // 2]]
    forwards, backwards = stacked(offline(some)), stacked(offline(some[::-1]))
    assert len(forwards) == count
    np.testing.assert_allclose(forwards, backwards[::-1], atol=1e-6)


def test_offline_holds_a_few_frames_only(still):
    taken = 0

    def counted():
        nonlocal taken
        for one in still * 5:
            taken += 1
            yield one

    stream = offline(counted(), Smoothing(reach=2))
    for number in range(20):
        next(stream)
        assert taken == number + 3


def test_motion_is_told_from_noise():
    rng = np.random.default_rng(2)
    picture = torch.from_numpy(rng.random((3, 20, 20))).float()
    noisy = picture + 0.008 * torch.from_numpy(rng.standard_normal((3, 20, 20))).float()
    assert motion(picture, noisy, Smoothing()).max() < 0.25
    moved = picture.clone()
    moved[:, :, 10:] = 1 - moved[:, :, 10:]
    found = motion(picture, moved, Smoothing())
    assert found[:, :, 14:].min() > 0.99
    assert found[:, :, :7].max() == 0


def test_edges_are_those_of_the_guided_filter():
    """He et al. (2010), equations 14 to 16 for a colour guide, pixel by pixel."""
    rng = np.random.default_rng(3)
    picture, matte = rng.random((3, 9, 11)), rng.random((9, 11))
    radius, epsilon = 2, 0.01
    guide, value = (
        np.pad(a, ((0, 0),) * (a.ndim - 2) + ((radius, radius),) * 2, "reflect") for a in (picture, matte)
    )
    a, b = np.zeros((3, 9, 11)), np.zeros((9, 11))
    for y in range(9):
        for x in range(11):
            inner = slice(y, y + 2 * radius + 1), slice(x, x + 2 * radius + 1)
            i, p = guide[:, *inner].reshape(3, -1), value[inner].ravel()
            covariance = np.cov(i, bias=True) + epsilon * np.eye(3)
            a[:, y, x] = np.linalg.solve(covariance, (i * p).mean(1) - i.mean(1) * p.mean())
            b[y, x] = p.mean() - a[:, y, x] @ i.mean(1)
    mean = [cv2.blur(c, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT_101) for c in (*a, b)]
    expected = (np.stack(mean[:3]) * picture).sum(0) + mean[3]
    found = drawn_to_edges(shown([picture], [matte])[0], radius, epsilon)
    np.testing.assert_allclose(found[0].numpy(), expected.clip(0, 1), atol=2e-5)


def test_a_matte_beside_the_edge_is_drawn_to_it():
    disc, beside = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)
    cv2.circle(disc, (32, 32), 15, 1.0, -1)
    cv2.circle(beside, (33, 31), 14, 1.0, -1)
    picture = np.stack([disc, 0.5 * disc, 1 - disc]) * 0.6 + 0.2
    coarse = cv2.GaussianBlur(beside, (0, 0), 2.0)
    found = drawn_to_edges(shown([picture], [coarse])[0], 5)[0].numpy()
    assert ((coarse > 0.5) != (disc > 0.5)).sum() > 80
    assert ((found > 0.5) != (disc > 0.5)).sum() < 20


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (4, 5)])
def test_tiny_pictures_are_left_or_filtered_within_bounds(size):
    rng = np.random.default_rng(4)
    found = drawn_to_edges(shown([rng.random((3, *size))], [rng.random(size)])[0], 5)
    assert found.shape == (1, *size)
    assert 0 <= found.min() <= found.max() <= 1


@pytest.fixture(scope="module")
def puppets():
    """Two clips with true mattes, and mattes of them whose edge and inside flicker."""
    index = PuppetIndex(train_clips=2, val_clips=1, test_clips=2, frames=24, size=64, kinds=["person"])
    rng = np.random.default_rng(5)
    found = []
    for clip in index.clips("test"):
        reader = clip.reader.open(clip)
        numbers = list(range(clip.num_frames))
        frames = reader.frames(numbers, SIZE).transpose(0, 3, 1, 2) / 255
        truth = reader.truth(numbers, SIZE)["person_mask"]
        blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 1.0) for one in truth])
        wobble = np.stack([cv2.GaussianBlur(one, (0, 0), 2.0) for one in rng.standard_normal(truth.shape)])
        noisy = np.clip(blurred + 0.9 * wobble, 0, 1)
        found.append((truth, shown(frames, noisy)))
    return found


def flicker(mattes, truth):
    """Mean change from frame to frame that the truth does not have."""
    return np.abs(np.diff(mattes, axis=0) - np.diff(truth, axis=0)).mean()


def boundary_error(mattes, truth, distance=3):
    """Mean absolute error where the true contour is at most 3 pixels away."""
    inside = (truth > 0.5).astype(np.uint8)
    near = [
        np.minimum(cv2.distanceTransform(one, cv2.DIST_L2, 5), 99)
        + np.minimum(cv2.distanceTransform(1 - one, cv2.DIST_L2, 5), 99)
        <= distance
        for one in inside
    ]
    return np.abs(mattes - truth)[np.stack(near)].mean()


@pytest.mark.parametrize("smooth", [lambda s: causal(s, FPS), offline], ids=["causal", "offline"])
def test_puppets_flicker_less_and_keep_their_edges(puppets, smooth):
    for truth, noisy in puppets:
        before, after = raw(noisy), stacked(smooth(noisy))
        assert flicker(after, truth) < 0.75 * flicker(before, truth)
        assert boundary_error(after, truth) < 1.05 * boundary_error(before, truth)
        assert 0 <= after.min() <= after.max() <= 1


@pytest.fixture(scope="module")
def cut_out():
    """A held-out puppet, cut out by the network that comes with the package."""
    index = PuppetIndex(train_clips=1, val_clips=1, test_clips=1, frames=16, size=96, kinds=["face"])
    (clip,) = index.clips("test")
    reader, numbers = clip.reader.open(clip), list(range(clip.num_frames))
    frames = reader.frames(numbers)
    mattes = backends.mattes("puppet", device="cpu")(frames)
    return reader.truth(numbers)["person_mask"], shown(frames.transpose(0, 3, 1, 2) / 255, mattes)


@pytest.mark.parametrize("smooth", [lambda s: causal(s, FPS), offline], ids=["causal", "offline"])
def test_mattes_of_a_network_flicker_less_and_keep_their_edges(cut_out, smooth):
    truth, found = cut_out
    before, after = raw(found), stacked(smooth(found))
    assert flicker(after, truth) < flicker(before, truth)
    assert boundary_error(after, truth) < 1.05 * boundary_error(before, truth)
