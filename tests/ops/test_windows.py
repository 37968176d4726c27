"""Windows against slices written out."""

from __future__ import annotations

import pytest
import torch

from animate.ops.crop import corners_around, crop, paste

SIZE = (20, 30)


def test_windows_are_slices() -> None:
    pictures = torch.rand(2, 3, *SIZE)
    corners = torch.tensor([[5, 1], [22, 12]])
    windows = crop(pictures, corners, 8)
    assert torch.equal(windows[0], pictures[0, :, 1:9, 5:13])
    assert torch.equal(windows[1], pictures[1, :, 12:20, 22:30])


@pytest.mark.parametrize(("x", "y"), [(4.2, 4.2), (14.2, 9.2), (100.0, -50.0)])
def test_a_window_lies_around_its_points_and_inside_of_the_picture(x: float, y: float) -> None:
    pixels = torch.tensor([[x - 1, y], [x + 1, y], [999.0, 999.0]])
    points = pixels / (torch.tensor([SIZE[1], SIZE[0]]) - 1) * 2 - 1
    found = torch.tensor([True, True, False])
    corners, any_found = corners_around(points[None], found[None], 8, SIZE)
    wanted = [min(max(round(x - 3.5), 0), SIZE[1] - 8), min(max(round(y - 3.5), 0), SIZE[0] - 8)]
    assert corners.tolist() == [wanted]
    assert any_found.all()


def test_without_points_the_window_is_in_the_middle() -> None:
    corners, any_found = corners_around(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.bool), 8, SIZE)
    assert corners.tolist() == [[11, 6]]
    assert not any_found.any()


def test_what_is_cut_out_and_put_back_changes_nothing() -> None:
    pictures, corners = torch.rand(2, 3, *SIZE), torch.tensor([[0, 0], [22, 12]])
    assert torch.equal(paste(pictures, crop(pictures, corners, 8), corners, feather=2), pictures)


def test_a_pasted_window_fades_towards_its_rim() -> None:
    black, corners = torch.zeros(1, 1, *SIZE), torch.tensor([[3, 4]])
    pasted = paste(black, torch.ones(1, 1, 8, 8), corners, feather=3)
    assert not black.any()
    row = pasted[0, 0, 8, 3:11]
    torch.testing.assert_close(row, torch.tensor([0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]))
    assert pasted[0, 0, 4, 3] == pytest.approx(1 / 16)
    assert pasted.sum() == pasted[0, 0, 4:12, 3:11].sum()
    hard = paste(black, torch.ones(1, 1, 8, 8), corners, feather=0)
    assert hard.sum() == 64
