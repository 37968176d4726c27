"""Files of other programs, written here as those programs write them."""

import json

import av
import numpy as np
import pytest

from animate.annotate.figures import to_pixels
from animate.annotate.importers import read_coco17, read_mattes, read_mediapipe33, read_openpose
from animate.annotate.translate import translate
from animate.errors import UserError
from animate.layouts import COCO17, COCO18

SIZE = (240, 320)


def person(joints, x=100.0, spread=4.0, score=0.9):
    """(joints, 3): x, y, confidence; the second joint is missing."""
    values = np.stack([x + spread * np.arange(joints), 20 + spread * np.arange(joints)], axis=1)
    values = np.concatenate([values, np.full((joints, 1), score)], axis=1)
    values[1] = 0.0
    return values


def people(*persons, key="pose_keypoints_2d"):
    entries = [{"person_id": [-1], key: p.ravel().tolist(), "face_keypoints_2d": []} for p in persons]
    return {"version": 1.3, "people": entries}


def check(pose, frame, expected):
    """The pose shows the expected person, (J, 3), in a frame."""
    seen = expected[:, 2] > 0
    np.testing.assert_array_equal(pose.found[frame], seen)
    pixels = to_pixels(pose.points[frame], SIZE)
    np.testing.assert_allclose(pixels[seen], expected[seen, :2], atol=1e-3)
    np.testing.assert_allclose(pose.score[frame], expected[:, 2], rtol=1e-6)
    assert not pose.points[frame][~seen].any()


@pytest.mark.parametrize(("layout", "joints"), [("body25", 25), ("coco18", 18)])
def test_openposes_file_for_each_frame(tmp_path, layout, joints):
    small, large = person(joints), person(joints, x=10, spread=8)
    frames = [people(small), people(), people(small, large)]
    for number, frame in zip((8, 9, 10), frames, strict=True):  # 10 comes after 9, not before
        (tmp_path / f"clip_{number}_keypoints.json").write_text(json.dumps(frame))
    pose = read_openpose(tmp_path, SIZE)
    assert pose.layout == layout
    assert pose.points.shape == (3, joints, 2)
    check(pose, 0, small)
    assert not pose.found[1].any()
    check(pose, 2, large)


@pytest.mark.parametrize("wrapped", [True, False])
def test_one_openpose_file_for_a_clip(tmp_path, wrapped):
    frames = [people(person(25)) | {"frame": 0}, people(person(25, x=50)) | {"frame": 3}]
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"width": 320, "frames": frames} if wrapped else frames))
    pose = read_openpose(path, SIZE)
    assert len(pose.points) == 4  # frames without entry are frames in which nobody is
    np.testing.assert_array_equal(pose.found.any(axis=1), [True, False, False, True])
    check(pose, 3, person(25, x=50))


def test_the_keys_of_old_openpose_versions(tmp_path):
    path = tmp_path / "clip.json"
    path.write_text(json.dumps([people(person(18), key="pose_keypoints")]))
    check(read_openpose(path, SIZE), 0, person(18))


def test_openposes_faces_and_hands(tmp_path):
    """Who lacks a list, or all of them, has none of its points."""
    body, face, hand = person(25), person(70, x=40, spread=1), person(21, x=60, spread=1)
    whole = people(body)
    whole["people"][0] |= {"face_keypoints_2d": face.ravel().tolist(), "hand_left_keypoints_2d": []}
    whole["people"][0] |= {"hand_right_keypoints_2d": hand.ravel().tolist()}
    path = tmp_path / "clip.json"
    path.write_text(json.dumps([whole, people(body)]))
    pose = read_openpose(path, SIZE)
    assert pose.layout == "body25_face_hands"
    nothing = np.zeros((21, 3))
    check(pose, 0, np.concatenate([body, face, nothing, hand]))
    check(pose, 1, np.concatenate([body, np.zeros((70, 3)), nothing, nothing]))
    whole["people"][0]["face_keypoints_2d"] = [1.0, 2.0, 3.0]
    path.write_text(json.dumps([whole]))
    with pytest.raises(UserError, match=r"3 numbers in face_keypoints_2d; OpenPose has 210"):
        read_openpose(path, SIZE)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("3", "no list of frames"),
        ('{"people": []}', "no frame has a person"),
        ('[{"persons": []}]', "without the list 'people'"),
        ('[{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}]', "persons of 3 numbers"),
        ('[{"people": [{}]}]', "no list of numbers"),
        ('[{"people": [{"pose_keypoints_2d": ["a"]}]}]', "no list of numbers"),
        (json.dumps([people(person(25), person(18))]), "persons of 54 and 75 numbers"),
        ('[{"frame": 4, "people": []}, {"frame": 2, "people": []}]', "frame 2 comes after frame 4"),
    ],
)
def test_what_is_not_openposes_is_told(tmp_path, content, complaint):
    path = tmp_path / "clip.json"
    path.write_text(content)
    with pytest.raises(UserError, match=complaint) as caught:
        read_openpose(path, SIZE)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_openpose(tmp_path / "none.json", SIZE)
    with pytest.raises(UserError, match="no JSON files"):
        read_openpose(tmp_path, SIZE)
    with pytest.raises(UserError, match="not a NumPy file"):
        read_coco17(tmp_path / "none.npz", SIZE)


def test_coco_results(tmp_path):
    path = tmp_path / "results.json"
    small, large = person(17), person(17, x=10, spread=9)

    def result(image, values):
        return {"image_id": image, "category_id": 1, "keypoints": values.ravel().tolist(), "score": 2.0}

    path.write_text(json.dumps([result(12, small), result(10, small), result(12, large)]))
    pose = read_coco17(path, SIZE, first=10)
    assert pose.layout == "coco17"
    np.testing.assert_array_equal(pose.found.any(axis=1), [True, False, True])
    check(pose, 0, small)
    check(pose, 2, large)
    with pytest.raises(UserError, match="below 11"):
        read_coco17(path, SIZE, first=11)
    path.write_text(json.dumps([result("clip7_000001.jpg", small)]))
    assert read_coco17(path, SIZE).found.any(axis=1).tolist() == [False, True]


def test_coco_annotations(tmp_path):
    path = tmp_path / "annotations.json"
    images = [{"id": 77, "file_name": "10.png"}, {"id": 5, "file_name": "9.png"}]
    marked = person(17)
    marked[:, 2] = 2  # labelled and visible
    marked[1] = 0
    marks = [{"image_id": 77, "category_id": 1, "keypoints": marked.ravel().tolist()}]
    path.write_text(json.dumps({"images": images, "annotations": marks}))
    pose = read_coco17(path, SIZE)
    np.testing.assert_array_equal(pose.found.any(axis=1), [False, True])
    np.testing.assert_array_equal(pose.score[1], np.minimum(marked[:, 2], 1))


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "[3]",
        "{}",
        '[{"keypoints": []}]',
        '[{"image_id": "a", "keypoints": []}]',
        '[{"image_id": 0}]',
        '[{"image_id": 0, "keypoints": [1, 2, 3]}]',
    ],
)
def test_what_is_not_cocos_is_told(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"results\.json") as caught:
        read_coco17(path, SIZE)
    assert "\n" not in str(caught.value)


def test_coco_arrays_with_and_without_scores(tmp_path):
    values = np.stack([person(17), person(17, x=30)]).astype(np.float32)
    values[1, 4] = np.nan
    np.savez(tmp_path / "a.npz", other=np.zeros(3), keypoints=values)
    np.save(tmp_path / "b.npy", values[..., :2])
    pose = read_coco17(tmp_path / "a.npz", SIZE)
    check(pose, 0, values[0])
    assert not pose.found[1, 4]
    assert pose.found[1].sum() == 15
    bare = read_coco17(tmp_path / "b.npy", SIZE)
    assert bare.found[0].all()
    assert bare.found[1].sum() == 16


@pytest.mark.parametrize("units", ["pixels", "shares"])
def test_mediapipes_arrays(tmp_path, units):
    pixels = person(33, x=20)
    values = np.zeros((1, 33, 4))
    values[0, :, :2], values[0, :, 3] = pixels[:, :2], pixels[:, 2]
    if units == "shares":
        # A share of the width is counted from the edge, half a pixel before the first pixel's centre.
        values[..., :2] = (values[..., :2] + 0.5) / [SIZE[1], SIZE[0]]
    np.savez(tmp_path / "pose.npz", mediapipe33=values)
    pose = read_mediapipe33(tmp_path / "pose.npz", SIZE, units=units)
    check(pose, 0, pixels)
    body = translate(pose, COCO18)
    neck = (pixels[11] + pixels[12]) / 2
    np.testing.assert_allclose(to_pixels(body.points[0, 1], SIZE), neck[:2], atol=1e-3)
    assert translate(pose, COCO17).found.all()  # what is missing is the left eye's inner corner


@pytest.mark.parametrize("shape", [(2, 17, 3), (33, 4), (2, 33, 3)])
def test_arrays_of_another_shape_are_told(tmp_path, shape):
    np.save(tmp_path / "pose.npy", np.zeros(shape))
    with pytest.raises(UserError, match=r"\(N, 33, 4\) or \(N, 33, 5\) is needed"):
        read_mediapipe33(tmp_path / "pose.npy", SIZE)


def test_files_that_would_run_code_are_refused(tmp_path):
    np.save(tmp_path / "pose.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="not a NumPy file that can be read"):
        read_coco17(tmp_path / "pose.npy", SIZE)


def write_mattes(path, frames, codec="libx264", pix_fmt="yuv420p", full_range=False):
    """Encode grey pictures (H, W) without loss, their luma from 16 to 235 unless ``full_range``."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options={"qp": "0"} if codec == "libx264" else {})
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = pix_fmt
        for values in frames:
            luma = values if full_range else np.rint(16 + values / 255.0 * 219)
            grey = luma.astype(np.uint8)
            if pix_fmt != "gray":  # the two colour planes, neutral
                grey = np.concatenate([grey, np.full((len(grey) // 2, grey.shape[1]), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(grey, format=pix_fmt)
            frame.color_range = 2 if full_range else 1
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    "coding",
    [
        {},
        {"pix_fmt": "yuvj420p", "full_range": True},
        {"codec": "ffv1", "pix_fmt": "gray", "full_range": True},
    ],
    ids=["limited", "full", "grey"],
)
def test_a_matte_video_has_its_whole_range(tmp_path, coding):
    """Limited-range luma runs from 16 to 235: read raw, black would be 0.06 and white 0.92."""
    frames = [np.full((48, 64), level, np.uint8) for level in (0, 64, 128, 255)]
    path = write_mattes(tmp_path / "matte.mkv", frames, **coding)
    mattes = list(read_mattes(path, (48, 64), 4))
    assert all(matte.shape == (48, 64) and matte.dtype == np.float32 for matte in mattes)
    found = [float(matte.mean()) for matte in mattes]
    np.testing.assert_allclose(found, np.array([0, 64, 128, 255]) / 255, atol=1.5 / 255)
    assert mattes[0].max() == 0.0
    assert mattes[3].min() == 1.0


def test_mattes_are_brought_to_the_clips_size_and_have_to_be_as_many(tmp_path):
    left = np.zeros((48, 64), np.uint8)
    left[:, :32] = 255
    path = write_mattes(tmp_path / "matte.mkv", [left] * 3)
    for matte in read_mattes(path, (24, 32), 3):
        assert matte.shape == (24, 32)
        assert matte[:, :15].min() > 0.98
        assert matte[:, 17:].max() < 0.02
    with pytest.raises(UserError, match="has 3 frames and its clip has 4"):
        list(read_mattes(path, (48, 64), 4))
    with pytest.raises(UserError, match="more frames than its clip, which has 2"):
        list(read_mattes(path, (48, 64), 2))
