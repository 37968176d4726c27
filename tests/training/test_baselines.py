"""The nearest pose and the mean picture against their definitions, written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from animate.data.export import write_clip
from animate.data.index import FolderIndex
from animate.data.synthetic import OnePuppetIndex
from animate.sidecars import sidecars_of
from animate.training.baselines import MEAN_PICTURE, NEAREST_POSE, MeanPicture, NearestPose, fit

SIZE = (24, 40)  # not square: pixels are not those of [-1, 1]
LAYOUT = "puppet_person"


def drawn() -> OnePuppetIndex:
    return OnePuppetIndex(train_clips=3, val_clips=3, test_clips=1, frames=6, size=64, seed=2)


def everything(index, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All frames of a split with their points."""
    readers = [(clip.reader.open(clip), range(clip.num_frames)) for clip in index.clips(split)]
    truth = [reader.truth(frames, SIZE) for reader, frames in readers]
    return (
        np.concatenate([reader.frames(frames, SIZE) for reader, frames in readers]),
        np.concatenate([known["points"] for known in truth]),
        np.concatenate([known["visible"] for known in truth]),
    )


def batch(frames: np.ndarray, points: np.ndarray, visible: np.ndarray) -> dict:
    """One clip, as evaluation gives it: the first frame, then all of them."""
    again = (np.concatenate([values[:1], values])[None] for values in (frames, points, visible))
    pictures, joints, there = map(torch.from_numpy, again)
    return {"frames": pictures.movedim(-1, 2).float() / 255, "points": joints, "visible": there}


def distance(a, b, seen_a, seen_b) -> tuple[float, int]:
    """The mean over joints seen in both, in pixels, and how many those are."""
    lengths = [
        np.hypot((x[0] - y[0]) / 2 * (SIZE[1] - 1), (x[1] - y[1]) / 2 * (SIZE[0] - 1))
        for x, y, there, here in zip(a, b, seen_a, seen_b, strict=True)
        if there and here
    ]
    return float(np.mean(lengths)) if lengths else np.inf, len(lengths)


def test_both_rows_on_drawn_clips() -> None:
    index = drawn()
    nearest, mean = NearestPose(LAYOUT), MeanPicture()
    fitted = fit({NEAREST_POSE: nearest, MEAN_PICTURE: mean}, index, SIZE)
    assert fitted.warnings == []
    assert [one.frames for one in fitted.baselines.values()] == [18, 18]
    frames, points, visible = everything(index, "train")
    asked = everything(index, "val")
    expected = []
    for p, v in zip(*asked[1:], strict=True):
        found = [distance(p, q, v, w) for q, w in zip(points, visible, strict=True)]
        assert min(shared for _, shared in found) >= v.sum() / 2
        expected.append(frames[np.argmin([length for length, _ in found])])
    assert len({picture.tobytes() for picture in expected}) > 1
    result = (nearest(batch(*asked)) * 255).round().byte().movedim(1, -1).numpy()
    np.testing.assert_array_equal(result, np.stack(expected))
    np.testing.assert_allclose(
        mean(batch(*asked)).movedim(1, -1).numpy(),
        np.broadcast_to(frames.mean(0) / 255, result.shape),
        atol=1e-6,
    )


def known(*poses: list[tuple[float, float] | None]) -> NearestPose:
    """A training set of these poses, of joints that are given or not visible."""
    row = NearestPose(LAYOUT)
    points = np.array([[joint or (0, 0) for joint in pose] for pose in poses], np.float32)
    row._poses = [(points, np.array([[joint is not None for joint in pose] for pose in poses]))]
    return row


def chosen(row: NearestPose, pose: list[tuple[float, float] | None], size: tuple[int, int] = (11, 11)) -> int:
    points = np.array([joint or (0, 0) for joint in pose], np.float32)
    return row.nearest(points, np.array([joint is not None for joint in pose]), size)


def test_only_joints_in_both_count() -> None:
    far = (0.9, 0.9)
    assert chosen(known([(0.2, 0), None], [(0.3, 0), (0.0, 0)]), [(0, 0), None]) == 0
    assert chosen(known([(0.2, 0), far], [(0.3, 0), None]), [(0, 0), (0, 0)]) == 1


def test_a_frame_that_shares_less_than_half_of_the_joints_is_no_candidate() -> None:
    pose = [(0, 0), (0, 0), (0, 0)]
    one_alike, two_near = [(0, 0), None, None], [(0.5, 0), (0.5, 0), None]
    assert chosen(known(one_alike, two_near), pose) == 1
    assert chosen(known([(0.1, 0), None, None], one_alike), pose) == 1, "unless none shares more"


def test_distances_are_those_of_pixels() -> None:
    row = known([(0.5, 0)], [(0, 0.4)])
    assert chosen(row, [(0, 0)], (11, 11)) == 1
    assert chosen(row, [(0, 0)], (21, 11)) == 0


def test_the_first_of_several_is_taken_and_for_a_frame_without_a_pose_too() -> None:
    row = known([(0.5, 0)], [(0.1, 0)], [(-0.1, 0)])
    assert chosen(row, [(0, 0)]) == 1
    assert chosen(row, [None]) == 0


@pytest.fixture
def folder(tmp_path):
    index = drawn()
    for split, number in (("train", 0), ("train", 1), ("train", 2), ("test", 0)):
        write_clip(index.clips(split)[number], tmp_path / "data" / split, SIZE, "")
    return tmp_path / "data"


def test_a_clip_that_cannot_be_used_is_left_out_of_the_row_and_told(folder) -> None:
    torn, bare, good = sorted(path for path in (folder / "train").iterdir() if path.is_dir())
    picture = sorted(torn.iterdir())[3]
    picture.write_bytes(picture.read_bytes()[:90])
    (sidecar,) = sidecars_of("truth", bare)
    sidecar.unlink()
    fitted = fit({NEAREST_POSE: NearestPose(LAYOUT), MEAN_PICTURE: MeanPicture()}, FolderIndex(folder), SIZE)
    assert {name: one.frames for name, one in fitted.baselines.items()} == {NEAREST_POSE: 6, MEAN_PICTURE: 12}
    poses, mean = fitted.warnings
    assert poses.startswith(f"row nearest_pose: 2 of 3 training clips are left out; the first: {torn.name}")
    assert mean.startswith(f"row mean_picture: 1 of 3 training clips are left out; the first: {torn.name}")
    alone = MeanPicture()
    fit({MEAN_PICTURE: alone}, OnlyThese([bare, good], folder), SIZE)
    asked = batch(*everything(drawn(), "test"))
    torch.testing.assert_close(fitted.baselines[MEAN_PICTURE](asked), alone(asked))


class OnlyThese:
    """An index of some of the clips of a folder."""

    def __init__(self, paths, folder) -> None:
        self._clips = [clip for clip in FolderIndex(folder).clips("train") if clip.path in paths]

    def clips(self, _):
        return self._clips


def test_a_row_without_frames_is_no_row(folder) -> None:
    for clip in (folder / "train").iterdir():
        for sidecar in sidecars_of("truth", clip) if clip.is_dir() else []:
            sidecar.unlink()
    fitted = fit({NEAREST_POSE: NearestPose(LAYOUT), MEAN_PICTURE: MeanPicture()}, FolderIndex(folder), SIZE)
    assert list(fitted.baselines) == [MEAN_PICTURE]
    (warning,) = fitted.warnings
    assert warning.startswith("no row nearest_pose: ")
    assert "has no poses" in warning
