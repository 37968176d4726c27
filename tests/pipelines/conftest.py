from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import small
from animate import checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from animate.networks.fomm import FirstOrderModel


def tiny_model(jacobian: str = "per_keypoint") -> FirstOrderModel:
    """A real model, small, with random weights that react to their input."""
    torch.manual_seed(7)
    model = small.networks(num_keypoints=5, jacobian=jacobian)
    with torch.no_grad():
        model.keypoint_detector.heatmap.weight.mul_(20)  # keypoints that differ from frame to frame
        if model.keypoint_detector.jacobian is not None:
            model.keypoint_detector.jacobian.weight.normal_(0, 0.05)
        model.generator.final.weight.mul_(5)
        for _ in range(10):  # batch statistics, without which the picture would be one grey
            pictures = torch.rand(4, 3, 32, 32)
            found = model.keypoint_detector(pictures)
            model.generator(pictures, kp_source=found, kp_driving=model.keypoint_detector(pictures.flip(0)))
    return model.eval()


@pytest.fixture(scope="session")
def make_networks() -> Callable[[str], FirstOrderModel]:
    return tiny_model


@pytest.fixture(scope="session")
def networks() -> FirstOrderModel:
    return tiny_model()


@pytest.fixture(scope="session")
def frames() -> list[np.ndarray]:
    """Eleven frames of a bright blob that moves over a fixed textured ground."""
    ground = np.random.default_rng(0).integers(0, 120, (32, 32, 3))
    y, x = np.mgrid[:32, :32]
    made = []
    for number in range(11):
        blob = np.exp(-((x - 6 - 2 * number) ** 2 + (y - 10 - number) ** 2) / 20)
        made.append(np.clip(ground + 200 * blob[..., None], 0, 255).astype(np.uint8))
    return made


@pytest.fixture(scope="session")
def tiny_checkpoint(networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "tiny.ckpt"
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("fomm", networks.arguments))
    return path


@pytest.fixture(scope="session")
def exported(tiny_checkpoint: Path) -> Path:
    """The tiny model as ONNX, in float32."""
    pytest.importorskip("onnxruntime")
    from animate.pipelines.onnx.export import export

    folder = tiny_checkpoint.parent / "exported"
    export(tiny_checkpoint, folder)
    return folder
