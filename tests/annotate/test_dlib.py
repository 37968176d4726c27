"""dlib's back-end on a portrait: against the library itself, and against mirrored and resized copies."""

import importlib.util
import sys
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from animate.annotate import backends
from animate.annotate.figures import to_pixels
from animate.annotate.libraries import packaged_weights
from animate.annotate.translate import mirrored
from animate.checkpoints import packaged
from animate.errors import UserError
from animate.layouts import FACE68

EYES = (36, 45)  # outer corners


def model(name):
    spec = importlib.util.find_spec("face_recognition_models")
    return str(Path(spec.submodule_search_locations[0]) / "models" / name)


@pytest.fixture(scope="module")
def landmarks():
    return backends.landmarks("dlib")


@pytest.fixture(scope="module")
def recogniser():
    return backends.recogniser("dlib")


@pytest.fixture(scope="module")
def pose(landmarks, portrait):
    return landmarks(portrait)


def in_eye_distances(points, reference):
    """Mean distance of points (68, 2) of square pictures, in shares of the distance between the eyes."""
    eyes = np.linalg.norm(reference[EYES[0]] - reference[EYES[1]])
    return np.linalg.norm(points - reference, axis=-1).mean() / eyes


def test_landmarks_are_the_librarys_own(pose, portrait):
    rect = dlib.get_frontal_face_detector()(portrait[0])[0]
    shape = dlib.shape_predictor(model("shape_predictor_68_face_landmarks.dat"))(portrait[0], rect)
    expected = [(part.x, part.y) for part in shape.parts()]
    assert pose.layout == FACE68.name
    assert pose.found.all()
    np.testing.assert_allclose(to_pixels(pose.points[0], (512, 512)), expected, atol=1e-3)
    assert 0.5 < pose.score.min() <= pose.score.max() <= 1.0


def test_landmarks_are_where_they_are_seen_to_be(pose):
    pixels = to_pixels(pose.points[0], (512, 512))
    centres = pixels[36:42].mean(axis=0), pixels[42:48].mean(axis=0)
    np.testing.assert_allclose(centres, [(204, 101), (246, 103)], atol=6)  # by eye
    nose, mouth, chin = pixels[30], pixels[48:60].mean(axis=0), pixels[8]
    assert centres[0][1] < nose[1] < mouth[1] < chin[1] < 190


def test_a_mirrored_face_has_mirrored_landmarks(landmarks, pose, portrait):
    other = mirrored(landmarks(portrait[:, :, ::-1]))
    assert in_eye_distances(other.points[0], pose.points[0]) < 0.05


@pytest.mark.parametrize("side", [128, 256, 800])
def test_the_size_of_the_picture_hardly_matters(landmarks, pose, portrait, side):
    small = cv2.resize(portrait[0], (side, side), interpolation=cv2.INTER_AREA)
    assert in_eye_distances(landmarks(small[None]).points[0], pose.points[0]) < 0.05


def test_pictures_that_are_not_square(landmarks, pose, portrait):
    wide = np.zeros((1, 512, 768, 3), np.uint8)
    wide[:, :, 256:] = portrait
    found = to_pixels(landmarks(wide).points[0], (512, 768)) - [256, 0]
    assert in_eye_distances(found, to_pixels(pose.points[0], (512, 512))) < 0.05


def test_where_there_is_no_face_nothing_is_found(landmarks, recogniser, portrait):
    frames = np.concatenate([portrait, np.zeros_like(portrait)])
    pose = landmarks(frames)
    assert pose.found[0].all()
    assert not pose.found[1].any()
    assert not pose.points[1].any()
    assert not pose.score[1].any()
    who = recogniser(frames)
    np.testing.assert_array_equal(who.found, [True, False])
    assert not who.embedding[1].any()
    assert [len(boxes) for boxes in backends.faces("dlib")(frames)] == [1, 0]
    assert landmarks(portrait[:0]).points.shape == (0, 68, 2)
    assert recogniser(portrait[:0]).embedding.shape == (0, 128)


@pytest.mark.parametrize("name", ["dlib", pytest.param("dlib-mmod", marks=pytest.mark.slow)])
def test_a_box_is_around_the_face(pose, portrait, name):
    finder = backends.faces(name)
    assert finder.name == name
    (box,) = finder(portrait)[0]
    inner = pose.points[0, 17:]  # brows, eyes, nose, mouth
    inside = (inner > [box.left, box.top]).all(axis=1) & (inner < [box.right, box.bottom]).all(axis=1)
    assert inside.mean() > 0.9
    assert box.right - box.left < 1.6 * np.ptp(pose.points[0, :, 0])
    assert 0.5 < box.score <= 1.0


def test_the_embedding_is_the_librarys_own(recogniser, portrait):
    rect = dlib.get_frontal_face_detector()(portrait[0])[0]
    shape = dlib.shape_predictor(model("shape_predictor_5_face_landmarks.dat"))(portrait[0], rect)
    network = dlib.face_recognition_model_v1(model("dlib_face_recognition_resnet_model_v1.dat"))
    expected = np.array(network.compute_face_descriptor(portrait[0], shape))
    found = recogniser(portrait)
    np.testing.assert_allclose(found.embedding[0], expected, atol=1e-5)


def test_the_same_person_is_near_and_a_changed_face_far(recogniser, portrait):
    # Stretched by half, it is somebody with another face.
    tall = cv2.resize(portrait[0], (512, 768))[:512]
    frames = np.stack([portrait[0], portrait[0, :, ::-1], tall])
    who = recogniser(frames).embedding
    mirrored_away, stretched_away = np.linalg.norm(who[1:] - who[0], axis=1)
    assert mirrored_away < recogniser.threshold
    assert stretched_away > 1.5 * mirrored_away


def test_versions_tell_library_and_weights(landmarks, recogniser):
    assert landmarks.name == recogniser.name == "dlib"
    assert landmarks.version == f"{dlib.__version__} hog-512 fbdc2cb8"
    assert recogniser.version == f"{dlib.__version__} hog-512 c4b1e980 55533b28"
    assert backends.faces("dlib", side=640).version == f"{dlib.__version__} hog-640"


def test_the_licence_is_shown_once_and_says_what_is_excluded(capsys):
    backends.faces("dlib")  # has no weights of its own
    assert not capsys.readouterr().err
    backends.landmarks("dlib")
    packaged_weights("dlib_68_points")
    (line,) = capsys.readouterr().err.splitlines()
    assert "300-W" in line
    assert "restricted: not for commercial use" in line


@pytest.mark.parametrize("module", ["dlib", "face_recognition_models"])
def test_a_missing_package_is_told_with_the_command(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    if module == "face_recognition_models":
        monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=rf"{module}.*not installed.*pip install 'animate\[dlib\]'") as caught:
        backends.landmarks("dlib")
    assert "\n" not in str(caught.value)
