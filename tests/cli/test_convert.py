"""``animate convert`` as it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import yaml

from animate import checkpoints
from animate.checkpoints.convert.fomm import PARTS, published_name
from animate.checkpoints.convert.pix2pixhd import names
from animate.checkpoints.convert.pix2pixhd_layout import translator_layers
from animate.cli import main
from animate.networks.pix2pixhd import Generator

if TYPE_CHECKING:
    from animate.networks.fomm import FirstOrderModel


@pytest.fixture
def files(checkpoint, tmp_path):
    """Give the tiny model in its authors' layout: YAML, checkpoint, and where to convert to."""
    model = checkpoints.load(checkpoint)
    values = model.arguments
    sections = {
        "common_params": {"num_kp": values["num_keypoints"], "num_channels": 3, "estimate_jacobian": True},
        "kp_detector_params": hourglass(values, "keypoint") | {"temperature": values["temperature"]},
        "generator_params": {
            "block_expansion": values["generator_width"],
            "max_features": values["generator_max_width"],
            "num_down_blocks": values["generator_depth"],
            "num_bottleneck_blocks": values["generator_blocks"],
            "estimate_occlusion_map": values["occlusion"],
            "dense_motion_params": hourglass(values, "motion"),
        },
    }
    config, weights = tmp_path / "tiny (1), a=b.yaml", tmp_path / "tiny-cpk ü.pth.tar"
    config.write_text(
        yaml.safe_dump({"dataset_params": {"frame_shape": [32, 32, 3]}, "model_params": sections})
    )
    torch.save(in_parts(model), weights, _use_new_zipfile_serialization=False)
    return config, weights, tmp_path / "tiny.ckpt"


def hourglass(values, part):
    return {
        "block_expansion": values[f"{part}_width"],
        "max_features": values[f"{part}_max_width"],
        "num_blocks": values[f"{part}_depth"],
        "scale_factor": 0.5,
    }


def in_parts(model: FirstOrderModel):
    ours = {f"networks.{key}": value for key, value in model.state_dict().items()}
    parts = {part: {} for part in PARTS[:2]}
    for name, value in ours.items():
        part, key = published_name(name, ours).split(".", 1)
        parts[part][key] = value
    return parts


def fomm(config, weights, output):
    return ["convert", "fomm", "--config", config, "--checkpoint", weights, "--output", output]


def test_converts_to_the_same_model(animate, files, checkpoint):
    done = animate(*fomm(*files))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(files[2]) in done.stdout
    first, second = (checkpoints.load(path) for path in (checkpoint, files[2]))
    assert first.arguments == second.arguments
    expected = first.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in second.state_dict().items())


def test_every_refusal_is_one_line_and_leaves_nothing(files, tmp_path, capsys):
    config, weights, output = files
    before = sorted(tmp_path.iterdir())
    for arguments in (
        fomm(tmp_path / "no.yaml", weights, output),
        fomm(config, config, output),
        fomm(config, weights, "/proc/nowhere/out.ckpt"),
        ["convert"],
        ["convert", "vgg"],
        ["convert", "fomm", "--config", config],
    ):
        assert main([str(argument) for argument in arguments]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("animate: error: ")
        assert told.err.count("\n") == 1
        assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(animate, files, tmp_path):
    before = sorted(tmp_path.iterdir())
    full = animate(*fomm(*files), limit=20_000)
    assert full.returncode == 2
    assert full.stderr.startswith(f"animate: error: cannot write {files[2]}")
    assert full.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def generator(tmp_path):
    """Save a tiny generator of 3 label channels, edges and the previous frame as pix2pixHD's authors do."""
    network = Generator(7, width=4, depth=1, blocks=1)
    state = network.state_dict()
    layers = translator_layers(1, 1)
    published = {theirs: state[ours] for ours, theirs in names(layers, state).items()}
    path = tmp_path / "latest_net_G ü.pth"
    torch.save(published, path)
    return network.eval(), path


def pix2pixhd(path, output, *options):
    return ["convert", "pix2pixhd", "--checkpoint", path, "--output", output, *options]


def test_converts_pix2pixhd_to_the_same_generator(animate, generator, tmp_path):
    network, path = generator
    done = animate(*pix2pixhd(path, tmp_path / "me.ckpt", "--edges", "--previous"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "global generator, 3 label channels" in done.stdout
    model, x = checkpoints.load(tmp_path / "me.ckpt"), torch.rand(1, 7, 8, 8)
    with torch.no_grad():
        assert torch.equal(model.generator(x), network(x))
    assert (model.arguments["edges"], model.arguments["previous"]) == (True, True)


def test_every_refusal_of_pix2pixhd_is_one_line_and_leaves_nothing(generator, tmp_path, capsys):
    _, path = generator
    before = sorted(tmp_path.iterdir())
    output = tmp_path / "me.ckpt"
    for arguments in (
        pix2pixhd(tmp_path / "no.pth", output),
        pix2pixhd(path, output, "--discriminator", path),
        pix2pixhd(path, output, "--encoder", tmp_path),
        pix2pixhd(path, output, "--skeleton", "octopus"),
        pix2pixhd(path, "/proc/nowhere/out.ckpt"),
        pix2pixhd(path, path),
        ["convert", "pix2pixhd", "--output", output],
    ):
        assert main([str(argument) for argument in arguments]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("animate: error: ")
        assert told.err.count("\n") == 1
        assert sorted(tmp_path.iterdir()) == before


def test_what_needs_another_method_says_so(animate, generator, tmp_path):
    _, path = generator
    assert main([str(argument) for argument in pix2pixhd(path, tmp_path / "me.ckpt")]) == 0
    for name in ("a.png", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    done = animate(
        *("drive", "--checkpoint", tmp_path / "me.ckpt", "--source", tmp_path / "a.png"),
        *("--driving", tmp_path / "b.mp4", "--output", tmp_path / "out.mp4"),
    )
    assert done.returncode == 2
    assert "holds networks of the method pix2pixhd; this works with those of fomm" in done.stderr
    assert done.stderr.count("\n") == 1
