"""Exported files, run by onnxruntime itself and compared with the torch networks."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from animate import checkpoints
from animate.annotate.protocols import Pose
from animate.cli import main
from animate.errors import UserError
from animate.networks.fomm import FirstOrderModel
from animate.networks.pix2pixhd import Pix2PixHD
from animate.pipelines.onnx import check, examples, precision, write
from animate.pipelines.onnx import export as exporting
from animate.pipelines.onnx.graphs import of_fomm, of_pix2pixhd
from animate.pipelines.posed import Person
from animate.video.image import write_image

FILES = ("detector", "source_encoder", "animator")


def run(path: Path, **inputs: torch.Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})


@pytest.fixture(scope="module")
def traced_once(tiny_checkpoint):
    """Trace each graph of the tiny model once: the slow part of an export."""
    models = {}

    def trace(graph):
        if graph.name not in models:
            models[graph.name] = write.traced(graph)
        return copy.deepcopy(models[graph.name])

    return trace


@pytest.fixture
def quick(traced_once, monkeypatch):
    monkeypatch.setattr(exporting, "traced", traced_once)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(1)
    for number in range(8):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        write_image(folder / f"{number}.png", np.kron(coarse, np.ones((10, 10, 1), np.uint8)))
    return folder


@pytest.mark.parametrize("count", [1, 4, 5])
def test_the_files_do_what_torch_does_at_any_batch(exported, networks, count):
    torch.manual_seed(count)
    pictures = torch.rand(count, 3, 32, 32)
    with torch.no_grad():
        found = networks.keypoint_detector(pictures)
        driving = {name: tensor.flip(0) for name, tensor in found.items()}
        features = networks.generator.encode(pictures)
        animation = networks.generator(pictures, kp_source=found, kp_driving=driving)
    expected = animation["prediction"]
    assert expected.std() > 0.02, "a grey picture would prove nothing"
    value, jacobian = run(exported / "detector.onnx", pictures=pictures)
    np.testing.assert_allclose(value, found["value"], atol=1e-4)
    np.testing.assert_allclose(jacobian, found["jacobian"], atol=1e-4)
    np.testing.assert_allclose(
        run(exported / "source_encoder.onnx", source=pictures)[0], features, atol=1e-4, rtol=1e-4
    )
    points = {f"source_{name}": tensor for name, tensor in found.items()}
    points |= {f"driving_{name}": tensor for name, tensor in driving.items()}
    prediction, field = run(exported / "animator.onnx", features=features, source=pictures, **points)
    np.testing.assert_allclose(prediction, expected, atol=1e-4)
    np.testing.assert_allclose(field, animation["deformation"], atol=1e-4)


def test_what_the_folder_says_of_itself(exported, tiny_checkpoint, networks):
    told = json.loads((exported / "model.json").read_text())
    assert sorted(path.name for path in exported.iterdir()) == sorted(
        [".animate-results", *map("{}.onnx".format, FILES), "model.json"]
    )
    assert told["networks"] == networks.arguments
    assert (told["architecture"], told["precision"], told["origin"]) == ("fomm", "fp32", "tiny.ckpt")
    assert told["origin_sha256"] == hashlib.sha256(tiny_checkpoint.read_bytes()).hexdigest()
    for name in FILES:
        content = (exported / f"{name}.onnx").read_bytes()
        assert told["files"][name] == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert 0 < told["float32_error"][name] < 1e-4
    assert told["picture_error"]["psnr"] > 80


def test_the_files_are_plain_onnx_without_paths_of_this_machine(exported):
    for name in FILES:
        model = onnx.load(exported / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert next(entry.version for entry in model.opset_import if not entry.domain) >= 16
        assert not [entry.domain for entry in model.opset_import if entry.domain not in {"", "ai.onnx"}]
        content = (exported / f"{name}.onnx").read_bytes()
        assert str(Path(write.__file__).parents[3]).encode() not in content
        assert b"site-packages" not in content
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_keypoints_without_jacobians(make_networks, tmp_path):
    detector, _, animator = of_fomm(make_networks("none"), torch.rand(3, 3, 32, 32))
    for graph in (detector, animator):
        write.save(write.traced(graph), tmp_path / f"{graph.name}.onnx")
        assert check.largest_difference(graph, tmp_path / f"{graph.name}.onnx") < 1e-5
    assert list(animator.inputs) == ["features", "source", "source_value", "driving_value"]


def test_too_great_an_error_is_refused_and_nothing_is_left(
    quick, tiny_checkpoint, tmp_path, monkeypatch, capsys
):
    honest = exporting.traced

    def wrong(graph):
        model = honest(graph)
        tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
        array = onnx.numpy_helper.to_array(tensor) * 1.01
        tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype("float32"), tensor.name))
        return model

    monkeypatch.setattr(exporting, "traced", wrong)
    arguments = ["--checkpoint", str(tiny_checkpoint), "--output", str(tmp_path / "new" / "out")]
    assert main(["export", "--format", "onnx", *arguments]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "differs from torch by" in told
    assert not list(tmp_path.iterdir())


def test_an_existing_export_is_replaced_only_when_told(quick, tiny_checkpoint, tmp_path, capsys):
    arguments = [
        "export",
        "--format",
        "onnx",
        "--checkpoint",
        str(tiny_checkpoint),
        "--output",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    assert "detector, source_encoder, animator in fp32" in capsys.readouterr().out
    (tmp_path / "detector.onnx").write_bytes(b"mine")
    assert main(arguments) == 2
    assert (tmp_path / "detector.onnx").read_bytes() == b"mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert (tmp_path / "detector.onnx").read_bytes() != b"mine"


def test_pictures_of_any_sizes_calibrate(networks, photos, tmp_path):
    for number, size in enumerate([(48, 64), (64, 48), (33, 32), (32, 90), (100, 100), (40, 40)]):
        write_image(tmp_path / f"{number}.png", np.full((*size, 3), 40 * number, np.uint8))
    found = examples.pictures(networks, tmp_path)
    assert found.first.shape == found.second.shape == (3, 3, 32, 32)
    levels = torch.stack([found.first, found.second], dim=1)[:, :, 0, 0, 0].flatten()
    assert torch.equal((levels * 255).round(), torch.arange(0, 240, 40).float())


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_smaller_numbers_are_measured(quick, tiny_checkpoint, networks, photos, tmp_path, kind):
    exporting.export(tiny_checkpoint, tmp_path / kind, precision=kind, calibration=photos)
    told = json.loads((tmp_path / kind / "model.json").read_text())
    assert told["precision"] == kind
    error = told["picture_error"]
    assert error["measured_on"] == photos.name
    assert error["frames"] == 4
    assert 1e-7 < error["mean"] < 0.02
    assert error["mean"] <= error["largest"]
    # The mean absolute error cannot be more than the root of the mean square.
    assert error["mean"] <= 10 ** (-error["psnr"] / 20)
    types = {
        tensor.data_type
        for name in FILES
        for tensor in onnx.load(tmp_path / kind / f"{name}.onnx").graph.initializer
        if len(tensor.dims) == 4
    }
    assert (onnx.TensorProto.FLOAT16 if kind == "fp16" else onnx.TensorProto.INT8) in types
    torch.manual_seed(0)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = networks.keypoint_detector(pictures)["value"]
    found = run(tmp_path / kind / "detector.onnx", pictures=pictures)[0]
    np.testing.assert_allclose(found, expected, atol=1e-4 if kind == "int8" else 5e-3)


def test_errors_of_pictures_by_hand():
    wanted = torch.zeros(2, 3, 4, 4)
    found = wanted.clone()
    found[0, 0, 0, 0], found[1, 2, 3, 3] = 0.5, -0.1
    error = check.picture_error([(found[:1], wanted[:1]), (found[1:], wanted[1:])], "these")
    assert error.mean == pytest.approx(0.6 / 96)
    assert error.largest == pytest.approx(0.5)
    assert error.psnr == pytest.approx(-10 * np.log10((0.25 + 0.01) / 96))
    assert error.frames == 2
    assert check.picture_error([(wanted, wanted)], "these").psnr is None
    with pytest.raises(UserError, match="no numbers"):
        check.picture_error([(wanted / 0, wanted)], "these")


def test_int8_wants_examples(tiny_checkpoint, photos, tmp_path):
    with pytest.raises(UserError, match="give --calibration"):
        exporting.export(tiny_checkpoint, tmp_path / "out", precision="int8")
    few = tmp_path / "few"
    few.mkdir()
    (few / "0.png").write_bytes((photos / "0.png").read_bytes())
    with pytest.raises(
        UserError, match="few: calibration needs at least 6 pictures and finds 1; name a longer"
    ):
        exporting.export(tiny_checkpoint, tmp_path / "out", precision="int8", calibration=few)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "named"), [(["--into", "x"], "--into"), (["--allow-pickle"], "--allow-pickle")]
)
def test_options_of_other_formats_are_refused(options, named, capsys):
    assert main(["export", "--format", "onnx", "--checkpoint", "a", "--output", "b", *options]) == 2
    assert f"does not go with {named}" in capsys.readouterr().err
    assert (
        main(["export", "--format", "ipercore", "--checkpoint", "a", "--output", "b", "--precision", "fp16"])
        == 2
    )
    assert "does not go with --precision" in capsys.readouterr().err


def test_a_missing_library_is_named(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"onnxscript .*pip install 'animate\[onnx\]'"):
        exporting.export(tiny_checkpoint, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def dancer(tmp_path_factory):
    """A temporal pose2vid model with a local enhancer and a face, as torch and as ONNX."""
    torch.manual_seed(2)
    model = Pix2PixHD(
        labels=3,
        indexed=False,
        skeleton="coco18",
        previous=True,
        width=8,
        depth=1,
        blocks=1,
        enhancers=1,
        enhancer_blocks=1,
        face=True,
        face_width=4,
        face_depth=1,
        face_blocks=1,
    ).eval()
    folder = tmp_path_factory.mktemp("dancer")
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(
        folder / "p.ckpt", {"state_dict": state}, checkpoints.describe("pix2pixhd", model.arguments)
    )
    exporting.export(folder / "p.ckpt", folder / "onnx")
    return model, folder / "onnx"


@pytest.mark.parametrize(("count", "height", "width"), [(1, 32, 32), (3, 24, 40)])
def test_pose2vid_at_any_batch_and_size(dancer, count, height, width):
    model, folder = dancer
    torch.manual_seed(count)
    condition, previous = torch.rand(2, count, 3, height, width)
    with torch.no_grad():
        expected = model(condition, previous=previous)
        without = model(condition)
        corrected = model.face(condition, expected).clamp(0, 1)
    (picture,) = run(folder / "generator.onnx", condition=condition, previous=previous)
    np.testing.assert_allclose(picture, expected, atol=1e-4)
    assert np.abs(picture - without.numpy()).max() > 1e-3, "the previous frame must matter"
    (face,) = run(folder / "face.onnx", condition=condition, picture=expected)
    np.testing.assert_allclose(face, corrected, atol=1e-4)


def test_pose2vid_in_8_bits_from_poses(dancer, monkeypatch, tmp_path):
    model, folder = dancer
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (9, 18, 2)).astype(np.float32)
    pose = Pose("coco18", points, np.ones((9, 18), bool), np.ones((9, 18), np.float32))
    monkeypatch.setattr(Person, "open", lambda _: Person(pose, (32, 48)))
    drawn = examples.conditions(model, Path("dance.mp4"))
    assert (len(drawn.first), len(drawn.second)) == (5, 4)
    expected = model.condition(model.draw(*map(torch.from_numpy, (points, pose.found)), (32, 48)))
    torch.testing.assert_close(torch.stack([drawn.first[1], drawn.second[1]]), expected[[2, 3]])
    graph = of_pix2pixhd(model, drawn.first)[0]
    precision.quantised(folder / "generator.onnx", tmp_path / "g.onnx", graph)
    given = {name: tensor[:1] for name, tensor in graph.inputs.items()}
    with torch.no_grad():
        wanted = graph.module(**given).numpy()
    difference = np.abs(run(tmp_path / "g.onnx", **given)[0] - wanted)
    assert 0 < difference.mean() < 0.02
    monkeypatch.setattr(Person, "open", lambda _: Person(pose_of(pose, 3), (32, 48)))
    with pytest.raises(UserError, match="at least 6 usable poses and finds 3; name a longer clip"):
        examples.conditions(model, Path("dance.mp4"))


def pose_of(pose, count):
    return Pose(pose.layout, pose.points[:count], pose.found[:count], pose.score[:count])


def test_other_networks_are_refused(tmp_path):
    from animate.networks.u2net import U2NetMatting

    model = U2NetMatting(layout="u2netp", width=4, image_size=32)
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(
        tmp_path / "u.ckpt", {"state_dict": state}, checkpoints.describe("u2net", model.arguments)
    )
    with pytest.raises(UserError, match="U2NetMatting"):
        exporting.export(tmp_path / "u.ckpt", tmp_path / "out")


@pytest.mark.slow
def test_the_published_size(tmp_path):
    torch.manual_seed(0)
    for graph in of_fomm(FirstOrderModel().eval(), torch.rand(3, 3, 256, 256)):
        path = tmp_path / f"{graph.name}.onnx"
        model = write.traced(graph)
        write.save(model, path)
        assert check.largest_difference(graph, path) < 1e-4
        whole = path.stat().st_size
        precision.written(model, tmp_path, graph, "fp16")
        assert path.stat().st_size < 0.52 * whole
