"""A file of poses finds its importer, and has to fit the video."""

import json

import numpy as np
import pytest

from animate.annotate.importers import read_mediapipe33
from animate.annotate.pose_files import read_poses
from animate.errors import UserError

SIZE = (240, 320)


def values(joints, columns=3, count=4, scale=1.0):
    """(N, J, C) pixels that tell frame and joint."""
    x = 10.0 + np.arange(count)[:, None] * 20 + np.arange(joints)
    filled = [x * scale, (20 + x / 2) * scale, *(np.full_like(x, 0.9) for _ in range(columns - 2))]
    return np.stack(filled, axis=-1)


def openpose(array):
    return [{"people": [{"pose_keypoints_2d": frame.ravel().tolist()}]} for frame in array]


def coco(array):
    return [
        {"image_id": n, "keypoints": frame.ravel().tolist(), "score": 1.0} for n, frame in enumerate(array)
    ]


FILES = {
    "openpose.json": ("body25", lambda path: path.write_text(json.dumps(openpose(values(25))))),
    "coco.json": ("coco17", lambda path: path.write_text(json.dumps(coco(values(17))))),
    "plain.npy": ("coco17", lambda path: np.save(path, values(17, 2))),
    "eighteen.npz": ("coco18", lambda path: np.savez(path, joints=values(18), valid=np.ones(4, bool))),
    "both.npz": ("body25", lambda path: np.savez(path, coco18=values(18), body25=values(25), fps=16.0)),
    "mediapipe.npz": ("mediapipe33", lambda path: np.savez(path, mediapipe33=values(33, 4))),
}


@pytest.mark.parametrize("name", FILES)
def test_the_contents_tell_what_it_is(tmp_path, name):
    layout, write = FILES[name]
    write(tmp_path / name)
    pose = read_poses(tmp_path / name, SIZE, 4)
    assert pose.layout == layout
    assert pose.found.all()
    expected = values(len(pose.points[0]))[..., :2] * 2 / [319, 239] - 1
    np.testing.assert_allclose(pose.points, expected, atol=1e-5)


def test_mediapipes_shares_are_seen_by_their_size(tmp_path):
    array = values(33, 4)
    array[..., :2] /= [320, 240]
    np.save(tmp_path / "a.npy", array)
    same = read_mediapipe33(tmp_path / "a.npy", SIZE)
    np.testing.assert_array_equal(read_poses(tmp_path / "a.npy", SIZE, 4).points, same.points)


def test_a_folder_is_openposes(tmp_path):
    for n, frame in enumerate(openpose(values(18))):
        (tmp_path / f"{n}_keypoints.json").write_text(json.dumps(frame))
    assert read_poses(tmp_path, SIZE, 4).layout == "coco18"


def test_another_number_of_frames_is_told(tmp_path):
    np.save(tmp_path / "a.npy", values(17))
    with pytest.raises(UserError, match=r"a\.npy has poses of 4 frames and the video has 9"):
        read_poses(tmp_path / "a.npy", SIZE, 9)


def test_poses_of_larger_pictures_are_told(tmp_path):
    np.save(tmp_path / "a.npy", values(17, scale=6.0))
    with pytest.raises(UserError, match=r"of its points lie outside of 320x240.*: scale them to the"):
        read_poses(tmp_path / "a.npy", SIZE, 4)
    read_poses(tmp_path / "a.npy", (1440, 1920), 4)


def test_poses_left_of_the_pictures_are_told(tmp_path):
    np.save(tmp_path / "a.npy", values(17) - [900, 0, 0])
    with pytest.raises(UserError, match=r"outside of 320x240 pixels; they are no pixels of this clip's$"):
        read_poses(tmp_path / "a.npy", SIZE, 4)


def test_a_few_joints_outside_are_fine(tmp_path):
    array = values(17)
    array[:, :2, 0] = -300.0
    np.save(tmp_path / "a.npy", array)
    assert (read_poses(tmp_path / "a.npy", SIZE, 4).points[:, :2, 0] < -1).all()


@pytest.mark.parametrize(
    ("name", "write", "complaint"),
    [
        ("none.json", lambda _: None, "no such file"),
        ("a.npz", lambda path: np.savez(path, box=np.zeros((4, 4))), r"no array .N, J.*but box \(4, 4\)"),
        ("a.npz", lambda path: np.savez(path, names=np.array(["a"])), "holds no numbers"),
        ("a.npy", lambda path: path.write_bytes(b"x"), "not a NumPy file"),
        ("a.json", lambda path: path.write_text("{"), "is not JSON"),
        ("a.mp4", lambda path: path.write_bytes(b"\xff\x00"), "is not JSON"),
    ],
)
def test_what_is_no_pose_file_is_told(tmp_path, name, write, complaint):
    write(tmp_path / name)
    with pytest.raises(UserError, match=complaint) as caught:
        read_poses(tmp_path / name, SIZE, 4)
    assert str(tmp_path / name) in str(caught.value)
