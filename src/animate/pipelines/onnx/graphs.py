"""What of a model becomes a graph: its networks behind plain tensors, each with examples of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from animate.types import Keypoints

if TYPE_CHECKING:
    from animate.networks.fomm import FirstOrderModel
    from animate.networks.fomm.generator import Generator
    from animate.networks.fomm.keypoint_detector import KeypointDetector
    from animate.networks.pix2pixhd import Pix2PixHD
    from animate.networks.pix2pixhd.face import FaceGenerator

SMALLEST_MULTIPLES = 2
"""Free sides are at least so many multiples of what they must divide by (torch.export knows no 1)."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A part of a model that becomes a file."""

    name: str
    """Of the file, without its suffix."""
    module: nn.Module
    """Takes the inputs by name."""
    inputs: dict[str, Tensor]
    """Examples by name, N of each along the first axis, whose length is free."""
    outputs: tuple[str, ...]
    multiple: int | None = None
    """Height and width are free, in multiples of this; None fixes them."""
    exact: bool = False
    """Stays float32 where others become int8: a small share of the work, whose errors are seen everywhere."""


class _Detector(nn.Module):
    def __init__(self, detector: KeypointDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        found = self.detector(pictures)
        return tuple(found[name] for name in ("value", "jacobian") if name in found)


class _SourceEncoder(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, source: Tensor) -> Tensor:
        return self.generator.encode(source)


class _Animator(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self,
        features: Tensor,
        source: Tensor,
        source_value: Tensor,
        driving_value: Tensor,
        source_jacobian: Tensor | None = None,
        driving_jacobian: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        animation = self.generator.decode(
            features,
            source,
            kp_source=_keypoints(source_value, source_jacobian),
            kp_driving=_keypoints(driving_value, driving_jacobian),
        )
        return animation["prediction"], animation["deformation"]


def _keypoints(value: Tensor, jacobian: Tensor | None) -> Keypoints:
    return Keypoints(value=value) if jacobian is None else Keypoints(value=value, jacobian=jacobian)


@torch.no_grad()
def of_fomm(networks: FirstOrderModel, pictures: Tensor) -> list[Graph]:
    """Split a First Order Motion Model so that a source is encoded once, however many frames follow.

    Args:
        networks: in evaluation mode.
        pictures: ``(N, 3, S, S)`` in [0, 1]: each is a source, the one before it drives it.

    """
    found = networks.keypoint_detector(pictures)
    rendered = {
        "features": networks.generator.encode(pictures),
        "source": pictures,
        "source_value": found["value"],
        "driving_value": found["value"].roll(1, 0),
    }
    if "jacobian" in found:
        rendered["source_jacobian"] = found["jacobian"]
        rendered["driving_jacobian"] = found["jacobian"].roll(1, 0)
    detector = _Detector(networks.keypoint_detector)
    return [
        Graph("detector", detector, {"pictures": pictures}, tuple(found), exact=True),
        Graph("source_encoder", _SourceEncoder(networks.generator), {"source": pictures}, ("features",)),
        Graph("animator", _Animator(networks.generator), rendered, ("prediction", "deformation")),
    ]


class _Translator(nn.Module):
    def __init__(self, networks: Pix2PixHD) -> None:
        super().__init__()
        self.networks = networks

    def forward(
        self, condition: Tensor, features: Tensor | None = None, previous: Tensor | None = None
    ) -> Tensor:
        whole = self.networks.join(condition, features=features, previous=previous)
        picture: Tensor = self.networks.generator(whole)
        return picture


class _Face(nn.Module):
    def __init__(self, face: FaceGenerator) -> None:
        super().__init__()
        self.face = face

    def forward(self, condition: Tensor, picture: Tensor) -> Tensor:
        corrected: Tensor = self.face(condition, picture)
        return corrected.clamp(0, 1)


def of_pix2pixhd(networks: Pix2PixHD, condition: Tensor) -> list[Graph]:
    """Take the generator, and the generator of faces where there is one.

    Args:
        networks: in evaluation mode.
        condition: ``(N, condition_channels, H, W)`` of ``Pix2PixHD.condition``.

    """
    noise = torch.Generator().manual_seed(0)
    count, _, height, width = condition.shape
    inputs = {"condition": condition}
    if networks.arguments["features"]:
        channels = int(networks.arguments["features"])
        inputs["features"] = torch.rand(count, channels, height, width, generator=noise)
    if networks.arguments["previous"]:
        inputs["previous"] = torch.rand(count, 3, height, width, generator=noise)
    multiple = networks.generator.multiple
    parts = [Graph("generator", _Translator(networks), inputs, ("picture",), multiple)]
    if networks.face is not None:
        seen = {"condition": condition, "picture": torch.rand(count, 3, height, width, generator=noise)}
        parts.append(Graph("face", _Face(networks.face), seen, ("corrected",), networks.face.multiple))
    return parts
