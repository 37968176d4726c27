"""The fill by averages."""

from __future__ import annotations

import pytest
import torch

from animate.ops.pull_push import pull_push


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (16, 16), (13, 40)])
def test_what_is_known_stays_and_one_colour_fills_everything(size) -> None:
    torch.manual_seed(0)
    known = (torch.rand(2, 1, *size) > 0.6).float()
    known[..., 0, 0] = 1
    pictures = torch.rand(2, 3, *size)
    assert torch.equal(pull_push(pictures * known, known) * known, pictures * known)
    colour = torch.tensor([-0.5, 0.0, 0.8]).view(1, 3, 1, 1).expand(2, 3, *size)
    torch.testing.assert_close(pull_push(colour * known, known), colour.contiguous())


def test_a_hole_is_the_mean_of_its_surroundings() -> None:
    """Written out: the centre of 4x4 is unknown; the 2x2 means of the rest, bilinearly enlarged."""
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    known = torch.ones(1, 1, 4, 4)
    known[..., 1:3, 1:3] = 0
    means = [[(0 + 1 + 4) / 3, (2 + 3 + 7) / 3], [(8 + 12 + 13) / 3, (11 + 14 + 15) / 3]]
    (a, b), (c, d) = means
    filled = pull_push(picture * known, known)
    expected = 0.75 * (0.75 * a + 0.25 * b) + 0.25 * (0.75 * c + 0.25 * d)
    assert filled[0, 0, 1, 1].item() == pytest.approx(expected, rel=1e-6)


def test_half_known_pixels_are_half_filled() -> None:
    known = torch.ones(1, 1, 4, 4)
    known[..., 2] = 0.5
    ones = torch.ones(1, 1, 4, 4)
    torch.testing.assert_close(pull_push(ones * known, known), ones)


def test_nothing_known_is_nothing() -> None:
    nothing = torch.zeros(1, 3, 8, 6)
    assert torch.equal(pull_push(nothing, nothing[:, :1]), nothing)
