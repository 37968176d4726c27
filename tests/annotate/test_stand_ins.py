"""YuNet, InsightFace and MediaPipe with stand-ins for libraries and weights: what is asked of them, and what
becomes of their answers.
"""

import io
import zipfile
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest

from animate.annotate import backends
from animate.annotate.figures import to_pixels
from animate.annotate.mediapipe import MESH_TO_FACE68
from animate.errors import UserError

HEIGHT, WIDTH = 40, 60  # of the pictures


class YuNet:
    """Answers with two faces, the surer but smaller one first, then with none."""

    made: ClassVar[list] = []

    def __init__(self, *arguments):
        self.made.append(self)
        self.arguments, self.calls, self.sizes = arguments, 0, []

    @classmethod
    def create(cls, *arguments):
        return cls(*arguments)

    def setInputSize(self, size):  # noqa: N802
        self.sizes.append(size)

    def detect(self, picture):
        assert picture.shape[:2] == self.sizes[-1][::-1]
        assert picture.flags.c_contiguous
        assert (picture[..., 2] == 255).all()  # BGR
        assert not picture[..., :2].any()
        self.calls += 1
        if self.calls == 2:
            return 1, None
        small = [2, 3, 4, 6, *range(10), 0.95]
        large = [20, 10, 18, 20, 24, 15, 33, 16, 29, 20, 25, 25, 32, 26, 0.8]
        return 1, np.array([small, large], np.float32)


@pytest.fixture
def yunet(given_weights, monkeypatch):
    monkeypatch.setattr(cv2, "FaceDetectorYN", YuNet)
    monkeypatch.setattr(YuNet, "made", [])
    return given_weights("yunet", b"an onnx file")


def test_yunets_boxes(yunet, pictures, capsys):
    finder = backends.faces("yunet")
    boxes = finder(pictures)
    assert [len(frame) for frame in boxes] == [2, 0, 2]
    corners = to_pixels(np.array([box[:4] for box in boxes[0]]).reshape(2, 2, 2), (HEIGHT, WIDTH))
    np.testing.assert_allclose(corners.reshape(2, 4), [[2, 3, 6, 9], [20, 10, 38, 30]], atol=1e-4)
    np.testing.assert_allclose([box.score for box in boxes[0]], [0.95, 0.8], rtol=1e-6)
    assert finder.version.endswith(yunet)
    assert YuNet.made[0].arguments[0].endswith("face_detection_yunet_2023mar.onnx")
    assert "MIT" in capsys.readouterr().err


def test_yunets_points_are_those_of_the_main_face(yunet, pictures):
    pose = backends.landmarks("yunet")(pictures)
    assert pose.layout == "face5"
    np.testing.assert_array_equal(pose.found.all(axis=1), [True, False, True])
    expected = [[24, 15], [33, 16], [29, 20], [25, 25], [32, 26]]
    np.testing.assert_allclose(to_pixels(pose.points[0], (HEIGHT, WIDTH)), expected, atol=1e-4)


def test_large_pictures_are_reduced_for_yunet(yunet, pictures):
    box = backends.faces("yunet", side=30)(pictures)[0][0]
    assert YuNet.made[0].sizes[0] == (30, 20)
    np.testing.assert_allclose(box.left, 2 / 29 * 2 - 1, atol=1e-6)  # x = 2 of 30 pixels


def archive(names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in names:
            file.writestr(name, name)
    return packed.getvalue()


@pytest.fixture
def insightface(stand_in):
    """Remembers how it was made; sees one face per picture, none in the second."""
    asked = {}
    face = SimpleNamespace(
        bbox=np.array([10.0, 5.0, 30.0, 35.0]),
        det_score=0.9,
        landmark_3d_68=np.stack([np.linspace(10, 30, 68), np.linspace(5, 35, 68), np.ones(68)], axis=1),
        normed_embedding=np.full(512, 512**-0.5),
    )

    class FaceAnalysis:
        def __init__(self, **arguments):
            asked.update(arguments)
            self.calls = 0

        def prepare(self, **arguments):
            asked.update(arguments)

        def get(self, picture):
            assert (picture[..., 2] == 255).all()  # BGR
            self.calls += 1
            return [] if self.calls == 2 else [face]

    stand_in("insightface", __version__="2.1")
    stand_in("insightface.app", FaceAnalysis=FaceAnalysis)
    stand_in("onnxruntime", get_available_providers=lambda: ["CPUExecutionProvider"])
    return asked


def test_insightface_gets_its_weights_from_our_table(
    insightface, given_weights, weights_folder, tmp_path, capsys
):
    names = ["det_10g.onnx", "deeper/w600k_r50.onnx", "../../outside.onnx", "readme.txt"]
    digest = given_weights("insightface", archive(names))
    finder = backends.landmarks("insightface")
    root = tmp_path / "cache" / "animate" / "weights" / "insightface"
    assert insightface["root"] == str(root)
    assert insightface["name"] == "buffalo_l"
    found = sorted(path.name for path in (root / "models" / "buffalo_l").iterdir())
    assert found == ["det_10g.onnx", "outside.onnx", "w600k_r50.onnx"]
    assert [path.name for path in (root / "models").iterdir()] == ["buffalo_l"]  # and nothing half done
    assert not list(tmp_path.rglob("readme.txt"))
    assert finder.version == f"2.1 buffalo_l-640 {digest}"
    assert "for non-commercial research only" in capsys.readouterr().err
    (weights_folder / "buffalo_l.zip").touch()
    backends.faces("insightface")  # unpacked already


def test_insightfaces_answers(insightface, given_weights, pictures):
    given_weights("insightface", archive(["a.onnx"]))
    pose = backends.landmarks("insightface")(pictures)
    assert insightface["allowed_modules"] == ["detection", "landmark_3d_68"]
    np.testing.assert_array_equal(pose.found.all(axis=1), [True, False, True])
    ends = to_pixels(pose.points[0, [0, 67]], (HEIGHT, WIDTH))
    np.testing.assert_allclose(ends, [[10, 5], [30, 35]], atol=1e-4)
    boxes = backends.faces("insightface")(pictures)
    assert [len(frame) for frame in boxes] == [1, 0, 1]
    assert boxes[0][0].score == 0.9
    recogniser = backends.recogniser("insightface")
    assert insightface["allowed_modules"] == ["detection", "recognition"]
    who = recogniser(pictures)
    np.testing.assert_array_equal(who.found, [True, False, True])
    np.testing.assert_allclose(np.linalg.norm(who.embedding, axis=1), [1, 0, 1], rtol=1e-6)
    # Unit vectors that far apart have a cosine of 0.28.
    assert 1 - recogniser.threshold**2 / 2 == pytest.approx(0.28)


def test_a_damaged_archive_is_told(insightface, given_weights):
    given_weights("insightface", b"not a zip")
    with pytest.raises(UserError, match=r"buffalo_l\.zip cannot be unpacked"):
        backends.faces("insightface")


def mark(x, y, visibility=None):
    return SimpleNamespace(x=x, y=y, z=0.0, visibility=visibility)


@pytest.fixture
def mediapipe(stand_in, given_weights):
    """Its tasks, by the name of the class that makes them; each answers what is put there."""
    answers = {}

    def task(name):
        class Task:
            @classmethod
            def create_from_options(cls, options):
                assert options.base_options.model_asset_path.endswith((".task", ".tflite"))
                return cls()

            def detect(self, image):
                assert image.image_format == "srgb"
                assert (image.data[..., 0] == 255).all()  # RGB
                return answers[name].pop(0)

            segment = detect

        return Task

    names = ("FaceLandmarker", "PoseLandmarker", "ImageSegmenter")
    vision = {name: task(name) for name in names} | {f"{name}Options": SimpleNamespace for name in names}
    tasks = SimpleNamespace(BaseOptions=SimpleNamespace, vision=SimpleNamespace(**vision))
    formats = SimpleNamespace(SRGB="srgb")
    stand_in("mediapipe", __version__="1.2", tasks=tasks, Image=SimpleNamespace, ImageFormat=formats)
    for name in ("mediapipe_face", "mediapipe_pose", "mediapipe_selfie"):
        given_weights(name, name.encode())
    return answers


def test_mediapipes_mesh_gives_68_landmarks_of_the_larger_face(mediapipe, pictures, capsys):
    # Each vertex stands at its own number, so that the points tell which vertices were taken.
    small = [mark(0.1 + i / 5000, 0.2) for i in range(478)]
    large = [mark(i / 500, 0.25 + i / 1000) for i in range(478)]
    found, nothing = SimpleNamespace(face_landmarks=[small, large]), SimpleNamespace(face_landmarks=[])
    mediapipe["FaceLandmarker"] = [found, nothing, found]
    finder = backends.landmarks("mediapipe")
    pose = finder(pictures)
    np.testing.assert_array_equal(pose.found.all(axis=1), [True, False, True])
    vertices = np.array(MESH_TO_FACE68)
    expected = np.stack([vertices / 500 * WIDTH, (0.25 + vertices / 1000) * HEIGHT], axis=1) - 0.5
    np.testing.assert_allclose(to_pixels(pose.points[0], (HEIGHT, WIDTH)), expected, atol=1e-3)
    assert "Apache-2.0" in capsys.readouterr().err
    assert finder.version.startswith("1.2 ")


def test_the_mesh_is_taken_where_it_is_known_to_be():
    """The vertices that MediaPipe documents: lips, eyes' corners, chin, nose."""
    assert len(set(MESH_TO_FACE68)) == 68
    places = dict(enumerate(MESH_TO_FACE68))
    assert [places[i] for i in (36, 39, 42, 45)] == [33, 133, 362, 263]
    assert [places[i] for i in (48, 54, 62, 66)] == [61, 291, 13, 14]
    assert [places[i] for i in (8, 30)] == [152, 4]


def test_mediapipes_joints_are_found_where_they_are_visible(mediapipe, pictures):
    person = [mark(0.5, i / 33, visibility=0.9 if i % 2 else 0.2) for i in range(33)]
    mediapipe["PoseLandmarker"] = [SimpleNamespace(pose_landmarks=[person])] * 3
    pose = backends.poses("mediapipe")(pictures)
    assert pose.layout == "mediapipe33"
    np.testing.assert_array_equal(pose.found[0], np.arange(33) % 2 == 1)
    pixels = to_pixels(pose.points[0], (HEIGHT, WIDTH))[1::2]
    np.testing.assert_allclose(pixels[:, 0], 29.5, atol=1e-4)  # the middle of 60 pixels
    np.testing.assert_allclose(pixels[:, 1], np.arange(1, 33, 2) / 33 * HEIGHT - 0.5, atol=1e-3)
    np.testing.assert_allclose(pose.score[0], np.where(pose.found[0], 0.9, 0.0), rtol=1e-6)


def test_mediapipes_matte_is_the_persons(mediapipe, pictures):
    person = np.linspace(0, 1.2, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH, 1)
    masks = [SimpleNamespace(numpy_view=lambda values=values: values) for values in (1 - person, person)]
    mediapipe["ImageSegmenter"] = [SimpleNamespace(confidence_masks=masks)] * 3
    mattes = backends.mattes("mediapipe")(pictures)
    assert mattes.shape == (3, HEIGHT, WIDTH)
    np.testing.assert_array_equal(mattes[0], person[..., 0].clip(0, 1))
