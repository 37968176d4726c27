"""Driving by onnxruntime: the same as by torch; damaged and hostile files end in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from animate.cli import main
from animate.errors import UserError
from animate.pipelines import Animator
from animate.pipelines.drive import drive, find_start_frame
from animate.pipelines.keypoint_smoothing import OneEuro
from animate.pipelines.onnx.fomm import ExportedFirstOrderModel
from animate.pipelines.onnx.session import Session
from animate.pipelines.reconstruct import reconstruct
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.image import write_image


@pytest.fixture(scope="module")
def model(exported):
    return ExportedFirstOrderModel.load(exported)


def levels(ours, expected):
    return np.abs(np.asarray(ours, int) - np.asarray(expected, int)).max()


@pytest.mark.parametrize(
    "options",
    [{}, {"relative": False, "batch_size": 3}, {"adapt_scale": True, "batch_size": 1}, {"initial": True}],
    ids=["relative", "absolute", "scaled", "initial"],
)
def test_driving_is_that_of_torch(model, networks, frames, options):
    if "initial" in options:
        options = {"initial": frames[4]}
    expected = list(drive(networks, frames[2], frames, **options))
    assert np.std([picture.astype(float) for picture in expected], axis=0).max() > 5, "it must move"
    assert levels(list(drive(model, frames[2], frames, **options)), expected) <= 1


def test_smoothing_and_the_start_frame_and_rebuilding(model, networks, frames):
    ours, expected = (
        list(drive(each, frames[0], frames, smoothing=OneEuro(25.0))) for each in (model, networks)
    )
    assert levels(ours, expected) <= 1
    assert find_start_frame(model, frames[7], frames, batch_size=3) == 7
    ours, expected = ([frame.l1 for frame in reconstruct(each, frames)] for each in (model, networks))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.fixture(scope="module")
def media(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("driven")
    write_image(folder / "photo.png", np.kron(frames[3], np.ones((2, 3, 1), np.uint8)))
    with VideoWriter(folder / "clip.mp4", 25) as writer:
        for frame in frames[:5]:
            writer.write(np.kron(frame, np.ones((2, 2, 1), np.uint8)))
    return folder


@pytest.fixture(scope="module")
def matte(media):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[10:50, 20:70] = 255
    write_image(media / "matte.png", picture)
    return media / "matte.png"


def arguments(media, checkpoint, output, *options):
    files = ["--source", media / "photo.png", "--driving", media / "clip.mp4", "--output", output]
    return [*map(str, ["drive", "--checkpoint", checkpoint, *files, "--device", "cpu", *options])]


@pytest.mark.parametrize(
    "options",
    [["--size", "keep", "--grid", "--smooth", "--lock-background", "MATTE"], ["--best-frame", "auto"]],
    ids=["keep", "best"],
)
def test_the_verb(exported, tiny_checkpoint, media, matte, tmp_path, options):
    options = [matte if option == "MATTE" else option for option in options]
    assert main(arguments(media, tiny_checkpoint, tmp_path / "torch", *options)) == 0
    assert main(arguments(media, exported, tmp_path / "onnx", "--runtime", "onnxruntime", *options)) == 0
    ours, expected = ([frame.image for frame in stream(tmp_path / name)] for name in ("onnx", "torch"))
    assert len(ours) == len(expected) == 5
    assert levels(ours, expected) <= 1


def test_the_class_for_other_programs(exported, networks, frames):
    animator = Animator.load(exported, runtime="onnxruntime")
    assert animator.size == 32
    assert (
        levels(list(animator.drive(frames[0], frames[:3])), list(drive(networks, frames[0], frames[:3]))) <= 1
    )


def refused(media, checkpoint, tmp_path, capsys, *options):
    assert main(arguments(media, checkpoint, tmp_path / "out.mp4", *options)) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1, told
    assert not (tmp_path / "out.mp4").exists()
    return told


def test_the_other_runtime_is_named(exported, tiny_checkpoint, media, tmp_path, capsys, monkeypatch):
    assert "--runtime onnxruntime" in refused(media, exported, tmp_path, capsys)
    onnxruntime = ("--runtime", "onnxruntime")
    assert "animate export --format onnx" in refused(media, tiny_checkpoint, tmp_path, capsys, *onnxruntime)
    assert "install onnxruntime-gpu" in refused(
        media, exported, tmp_path, capsys, *onnxruntime, "--device", "mps"
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "pip install 'animate[onnx]'" in refused(media, exported, tmp_path, capsys, *onnxruntime)


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "model")


def rewrite(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def sums(folder):
    """Make the description fit to files that were changed, as somebody hostile would."""
    files = {path.stem: path.read_bytes() for path in folder.glob("*.onnx")}
    rewrite(
        folder,
        files={n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()},
    )


def absurd(folder):
    told = json.loads((folder / "model.json").read_text())["networks"]
    rewrite(folder, networks=told | {"generator_width": 10**9})


DESCRIPTIONS = {
    "no JSON": (lambda f: (f / "model.json").write_bytes(b"\x80{"), "no JSON"),
    "deep": (lambda f: (f / "model.json").write_text("[" * 100_000), "no JSON"),
    "a list": (lambda f: (f / "model.json").write_text("[]"), "describes no model"),
    "huge": (lambda f: (f / "model.json").write_text(" " * (1 << 21)), "bytes"),
    "newer": (lambda f: rewrite(f, format=99), "update animate"),
    "another method": (lambda f: rewrite(f, architecture="pix2pixhd"), "pix2pixhd"),
    "absurd widths": (absurd, "generator_width must be"),
    "no files": (lambda f: rewrite(f, files=[]), "lists no files"),
    "a path": (lambda f: rewrite(f, files={"../../x": {}}), "names a file"),
    "a file is gone": (lambda f: (f / "animator.onnx").unlink(), "is missing"),
    "cut short": (lambda f: (f / "detector.onnx").write_bytes(b"x"), "not as it was exported"),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_descriptions_that_are_wrong(folder, case):
    spoil, words = DESCRIPTIONS[case]
    spoil(folder)
    with pytest.raises(UserError, match=words) as caught:
        ExportedFirstOrderModel.load(folder)
    assert "\n" not in str(caught.value)


def graph(folder, *nodes, tensors=()):
    """Write a detector of some nodes."""
    pictures = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["batch", 3, 32, 32])
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", 5, 2])
    jacobian = helper.make_tensor_value_info("jacobian", TensorProto.FLOAT, ["batch", 5, 2, 2])
    store(helper.make_graph(nodes, "g", [pictures], [value, jacobian], tensors), folder / "detector.onnx")


def store(made, path):
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil", 1)]
    path.write_bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())


def custom_operator(folder):
    graph(folder, helper.make_node("Shell", ["pictures"], ["value", "jacobian"], domain="evil"))


def foreign_file(folder):
    """Weights that lie in a file outside of the folder."""
    (folder.parent / "secret.bin").write_bytes(bytes(4 * 20))
    tensors = []
    for name, dims in (("a", [1, 5, 2]), ("b", [1, 5, 2, 2])):
        tensors.append(TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims))
        tensors[-1].data_location = TensorProto.EXTERNAL
        tensors[-1].external_data.add(key="location", value="../secret.bin")
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in (("a", "value"), ("b", "jacobian"))]
    graph(folder, *nodes, tensors=tensors)


def another_model(folder):
    shutil.copy(folder / "source_encoder.onnx", folder / "detector.onnx")


FILES = {
    "noise": (lambda f: (f / "detector.onnx").write_bytes(bytes(range(256)) * 20), "INVALID_PROTOBUF"),
    "empty": (lambda f: (f / "detector.onnx").write_bytes(b""), "no ONNX model"),
    "a custom operator": (custom_operator, "evil"),
    "a file outside": (foreign_file, "escapes model directory"),
    "another graph": (another_model, "its inputs are source, not pictures"),
}


@pytest.mark.parametrize("case", FILES)
def test_graphs_that_are_wrong(folder, media, tmp_path, capfd, case):
    spoil, words = FILES[case]
    spoil(folder)
    sums(folder)
    told = refused(media, folder, tmp_path, capfd, "--runtime", "onnxruntime")
    assert "detector.onnx" in told
    assert words in told


def test_a_graph_that_breaks_while_it_runs(tmp_path):
    a = helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 3])
    b = helper.make_tensor_value_info("b", TensorProto.FLOAT, ["n", 3])
    node = helper.make_node("Reshape", ["a", "s"], ["b"])
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2, 3])
    made = helper.make_graph([node], "g", [a], [b], [shape])
    store(made, tmp_path / "g.onnx")
    session = Session(tmp_path / "g.onnx", {"a": (None, 3)}, {"b": (None, 3)})
    assert session(a=torch.ones(2, 3))["b"].tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(UserError, match="cannot be run"):
        session(a=torch.ones(3, 3))
