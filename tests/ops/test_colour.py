"""Against torchvision, which is another implementation, and colorsys, which is the formula."""

import colorsys

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from animate.ops.colour import brighten_, contrast_, saturate_, turn_hue_

FACTORS = torch.tensor([0.0, 0.7, 1.0, 1.6])
TURNS = torch.tensor([-0.5, -0.2, 0.0, 0.45])


def frames():
    """Random colours, greys, black, white, and colours of which two channels are equal."""
    found = torch.rand(4, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    found[:, :, 0] = found[:, :1, 0]
    found[:, :, 1, :3] = 0.0
    found[:, :, 1, 3:6] = 1.0
    found[:, 1, 2] = found[:, 2, 2]
    found[:, 0, 3] = found[:, 1, 3]
    found[:, :, 4] = torch.eye(3).repeat(1, 3)
    found[:, :, 5] = 1 - torch.eye(3).repeat(1, 3)
    return found


@pytest.mark.parametrize(
    ("adjust", "truth", "factors"),
    [
        (brighten_, tv.adjust_brightness, FACTORS),
        (contrast_, tv.adjust_contrast, FACTORS),
        (saturate_, tv.adjust_saturation, FACTORS),
        (turn_hue_, tv.adjust_hue, TURNS),
    ],
    ids=["brightness", "contrast", "saturation", "hue"],
)
def test_each_frame_has_its_own_factor_and_is_torchvisions(adjust, truth, factors):
    before = frames()
    after = before.clone()
    assert adjust(after, factors) is after
    expected = torch.stack([truth(b, f.item()) for b, f in zip(before, factors, strict=True)])
    # Its weights of a grey add up to 0.9999.
    atol = 2e-4 if adjust in (contrast_, saturate_) else 2e-6
    torch.testing.assert_close(after, expected, atol=atol, rtol=0)


def test_hue_is_colorsys():
    before = frames()[:1]
    after = turn_hue_(before.clone(), torch.tensor([0.2]))
    for x in range(9):
        for y in range(8):
            hue, saturation, value = colorsys.rgb_to_hsv(*before[0, :, y, x].tolist())
            expected = colorsys.hsv_to_rgb((hue + 0.2) % 1, saturation, value)
            assert after[0, :, y, x].tolist() == pytest.approx(expected, abs=2e-6)


def test_whole_turns_change_nothing():
    for turn in (0.0, 1.0, -1.0):
        torch.testing.assert_close(turn_hue_(frames(), torch.full((4,), turn)), frames(), atol=2e-6, rtol=0)
