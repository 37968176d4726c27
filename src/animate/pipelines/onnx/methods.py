"""Which models can be exported, and how each is taken apart and measured as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from animate.errors import UserError
from animate.networks.fomm import FirstOrderModel
from animate.networks.pix2pixhd import Pix2PixHD
from animate.pipelines.onnx.examples import Examples, conditions, pictures
from animate.pipelines.onnx.fomm import ExportedFirstOrderModel
from animate.pipelines.onnx.graphs import Graph, of_fomm, of_pix2pixhd
from animate.pipelines.onnx.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from animate.pipelines.animation_model import AnimationModel


class Method(Protocol):
    """A model on its way out."""

    architecture: str
    """A key of ``ARCHITECTURES``."""
    arguments: Mapping[str, Any]
    """Of the networks."""
    examples: Examples
    graphs: list[Graph]

    def pictures(self, folder: Path) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what the files in a folder make of the second half of the examples, and what torch makes."""


class Fomm:
    """A First Order Motion Model; ``files`` is a video or a folder of pictures to calibrate on."""

    architecture = "fomm"

    def __init__(self, networks: FirstOrderModel, files: Path | None) -> None:
        self.networks = networks
        self.arguments: Mapping[str, Any] = networks.arguments
        self.examples = pictures(networks, files)
        self.graphs = of_fomm(networks, self.examples.first)

    def pictures(self, folder: Path) -> Iterator[tuple[Tensor, Tensor]]:
        """Move each picture like the one before it, from pixels to pixels."""
        exported = ExportedFirstOrderModel(folder, self.networks.arguments)
        shown = self.examples.second
        for number in range(len(shown)):
            source, driving = shown[number : number + 1], shown.roll(1, 0)[number : number + 1]
            yield _moved(exported, source, driving), _moved(self.networks, source, driving)


@torch.no_grad()
def _moved(networks: AnimationModel, source: Tensor, driving: Tensor) -> Tensor:
    """Let a source take the pose of a driving picture."""
    picture: Tensor = networks.generator.decode(
        networks.generator.encode(source),
        source,
        kp_source=networks.keypoint_detector(source),
        kp_driving=networks.keypoint_detector(driving),
    )["prediction"]
    return picture


class Pose2Vid:
    """A pix2pixHD model; ``files`` is a prepared data set or a clip with its poses to calibrate on."""

    architecture = "pix2pixhd"

    @torch.no_grad()
    def __init__(self, networks: Pix2PixHD, files: Path | None) -> None:
        self.arguments: Mapping[str, Any] = networks.arguments
        self.examples = conditions(networks, files)
        self.graphs = of_pix2pixhd(networks, self.examples.first)
        self._measured = of_pix2pixhd(networks, self.examples.second)[0]

    @torch.no_grad()
    def pictures(self, folder: Path) -> Iterator[tuple[Tensor, Tensor]]:
        """Make each picture by the generator, from the same previous frame."""
        graph = self._measured
        session = Session(
            folder / f"{graph.name}.onnx", dict.fromkeys(graph.inputs), dict.fromkeys(graph.outputs)
        )
        for number in range(len(self.examples.second)):
            given = {name: tensor[number : number + 1] for name, tensor in graph.inputs.items()}
            yield session(**given)["picture"], graph.module(**given)


METHODS: Mapping[type[nn.Module], Callable[..., Method]] = {FirstOrderModel: Fomm, Pix2PixHD: Pose2Vid}


def method_of(networks: nn.Module, checkpoint: Path, files: Path | None) -> Method:
    """Take a model apart.

    Raises:
        UserError: models of its kind are not exported, or the files do not do for calibration.

    """
    method = METHODS.get(type(networks))
    if method is None:
        raise UserError(
            f"{checkpoint} holds a {type(networks).__name__}; as ONNX only FirstOrderModel and Pix2PixHD are"
            " written"
        )
    return method(networks, files)
