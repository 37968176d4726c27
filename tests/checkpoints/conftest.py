from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

import small
from animate import checkpoints
from animate.errors import UserError
from animate.networks.fomm import Discriminator

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parents[1] / "golden"


class Module(torch.nn.Module):
    """What initialise and a trainer see of a LightningModule."""

    def __init__(self, discriminator: dict[str, Any] | None = None, **networks: Any) -> None:
        super().__init__()
        self.networks = small.networks(**networks)
        arguments = {"num_keypoints": 3, "width": 4, "max_width": 8, "depth": 2}
        self.discriminator = None if discriminator is None else Discriminator(**(arguments | discriminator))

    def save(self, path: Path, **extra: Any) -> Path:
        """Write the checkpoint as a trainer does, with what else Lightning puts there."""
        discriminator = self.discriminator and self.discriminator.arguments
        description = checkpoints.describe("fomm", self.networks.arguments, discriminator)
        checkpoints.save(path, {"state_dict": self.state_dict(), "epoch": 3, **extra}, description)
        return path


@pytest.fixture
def module() -> type[Module]:
    return Module


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Call, expect a UserError, return its message: one line."""

    def call(function: Callable[..., object], *args: object, **kwargs: object) -> str:
        with pytest.raises(UserError) as caught:
            function(*args, **kwargs)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return call


class Published:
    """A model in its authors' layout: the golden weights and the YAML that goes with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = json.loads((GOLDEN / "jac_s025.json").read_text())
        self.tensors = load_file(GOLDEN / "jac_s025.safetensors")
        names = ("common_params", "kp_detector_params", "generator_params", "discriminator_params")
        self.config: dict[str, Any] = {
            "dataset_params": {"frame_shape": [64, 64, 3], "id_sampling": True},
            "model_params": {name: dict(self.facts["case"][name]) for name in names},
            "train_params": {"num_epochs": 150},
        }
        self.checkpoint: dict[str, Any] = {
            "epoch": 150,
            **{part: self.part(f"state.{part}.") for part in ("generator", "kp_detector", "discriminator")},
        }
        # Constant anti-alias kernels, as the reference saves them
        self.checkpoint["kp_detector"]["down.weight"] = torch.rand(3, 1, 13, 13)
        self.checkpoint["generator"]["dense_motion_network.down.weight"] = torch.rand(3, 1, 13, 13)

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    def write(self, *, new_zip: bool = False) -> tuple[Path, Path, Path]:
        """Write the YAML and the checkpoint, the latter as torch 1.0 did unless ``new_zip``."""
        config, checkpoint = self.folder / "model.yaml", self.folder / "model-cpk.pth.tar"
        config.write_text(yaml.safe_dump(self.config))
        torch.save(self.checkpoint, checkpoint, _use_new_zipfile_serialization=new_zip)
        return config, checkpoint, self.folder / "out.ckpt"


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)
