"""``animate convert`` as it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import yaml

from animate import checkpoints
from animate.checkpoints.convert.fomm import PARTS, published_name
from animate.cli import main

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
