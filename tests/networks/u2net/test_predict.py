"""From pictures to mattes, with networks whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from animate.networks.u2net import U2NetMatting, mattes_of, normalised
from animate.networks.u2net.predict import detailed, unsure

SIDE = 16


def network(answer):
    """Stand for U²-Net: ``answer`` makes a map of the network's input."""
    return SimpleNamespace(arguments={"image_size": SIDE}, matting=lambda x: (answer(x), None))


def red(x):
    """Each pixel by itself: the more red, the more figure."""
    return torch.sigmoid(x[:, :1])


def blob(height, width):
    """Pictures whose middle is red, with a soft edge; the first pixel is white."""
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    picture = torch.zeros(1, 3, height, width)
    picture[:, 0] = torch.sigmoid(8 * (0.6 - torch.hypot(x, y)))
    return picture


def test_a_small_picture_is_looked_at_whole_as_published():
    picture = blob(24, 40)
    square = F.interpolate(picture, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
    joint = red((square / square.max() - 0.485) / 0.229)
    stretched = (joint - joint.min()) / (joint.max() - joint.min())
    expected = F.interpolate(stretched, (24, 40), mode="bilinear", align_corners=False)
    torch.testing.assert_close(mattes_of(network(red), picture), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("answer", [0.02, 0.98])
def test_an_empty_and_a_full_picture_stay_so(answer):
    noise = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) / 50 - 0.01
    mattes = mattes_of(network(lambda _: answer + noise), torch.rand(2, 3, 30, 30))
    assert (mattes - answer).abs().max() < 0.011


def test_black_pictures_are_harmless():
    assert mattes_of(network(red), torch.zeros(1, 3, 20, 20)).isfinite().all()


@pytest.mark.parametrize("size", [(SIDE * 5, SIDE * 5), (SIDE * 3 + 5, SIDE * 6 + 3), (SIDE * 6, 7)])
def test_windows_leave_no_seam_in_a_large_picture(size):
    """A network that treats each pixel alone says the same in every window, so borders must not show."""
    picture = blob(*size)
    seen = []

    def answer(x):
        seen.append(x.shape)
        return red(x)

    found = mattes_of(network(answer), picture)
    assert found.shape == (1, 1, *size)
    assert len(seen) > 1
    scale = 2 * SIDE / max(size)
    working = F.interpolate(
        picture, (round(scale * size[0]), round(scale * size[1])), mode="bilinear", antialias=True
    )
    largest = F.interpolate(picture, (SIDE, SIDE), mode="bilinear", antialias=True).max()
    joint = red((working / largest - 0.485) / 0.229)
    plain = F.interpolate((joint - joint.min()) / (joint.max() - joint.min()), size, mode="bilinear")
    # Windows are resampled to the network's side where they are not square; seams would be far larger.
    assert (found - plain).abs().max() < (0.02 if min(size) > SIDE else 0.15)


def test_where_the_whole_picture_was_sure_windows_do_not_count():
    """Inside of a figure a window sees no figure: what it says there is not taken."""

    def look(pictures, largest=None):
        if largest is not None:
            return torch.zeros(1, 1, SIDE, SIDE)
        whole = torch.ones(1, 1, SIDE, SIDE)
        whole[..., : SIDE // 2] = 0.0
        return whole

    found = detailed(look, torch.rand(1, 3, 8 * SIDE, 8 * SIDE), SIDE)
    assert found.shape == (1, 1, 2 * SIDE, 2 * SIDE)
    assert (found[..., -SIDE // 2 :] == 1).all()
    assert (found[..., : SIDE // 2] == 0).all()


def test_a_window_is_normalised_by_the_whole_picture():
    picture = torch.rand(1, 3, 8, 8) * 0.3
    largest = torch.full((1, 1, 1, 1), 0.6)
    assert torch.equal(normalised(picture, largest), normalised(picture / 0.6 * 1.0, torch.ones(1, 1, 1, 1)))


def test_unsure_is_one_at_a_half_and_reaches_around():
    mattes = torch.zeros(1, 1, 1, 9)
    mattes[..., 4] = 0.5
    assert unsure(mattes, 2)[0, 0, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert unsure(torch.ones(1, 1, 3, 3), 1).max() == 0


def test_a_real_network_takes_any_size():
    networks = U2NetMatting(width=4, image_size=16).eval()
    for size in ((1, 1), (5, 90), (70, 66)):
        mattes = mattes_of(networks, torch.rand(2, 3, *size))
        assert mattes.shape == (2, 1, *size)
        assert 0 <= mattes.min() <= mattes.max() <= 1
