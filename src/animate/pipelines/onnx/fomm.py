"""A First Order Motion Model out of ONNX files, with the face of the torch networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from animate.networks.fomm import expand_keypoints
from animate.pipelines.onnx.description import arguments_of
from animate.pipelines.onnx.session import Session
from animate.types import Keypoints

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from animate.pipelines.onnx.session import Shape


class ExportedDetector:
    """Finds keypoints; see ``networks.fomm.KeypointDetector``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, pictures: Tensor) -> Keypoints:
        """Find the keypoints of ``(B, 3, S, S)`` RGB in [0, 1]."""
        found = self._session(pictures=pictures)
        if "jacobian" in found:
            return Keypoints(value=found["value"], jacobian=found["jacobian"])
        return Keypoints(value=found["value"])


class ExportedGenerator:
    """Renders; see ``networks.fomm.Generator``."""

    def __init__(self, encoder: Session, animator: Session) -> None:
        self._encoder, self._animator = encoder, animator

    def encode(self, source: Tensor) -> Tensor:
        """Compute the features of ``(B, 3, S, S)`` sources."""
        return self._encoder(source=source)["features"]

    def decode(
        self, features: Tensor, source: Tensor, *, kp_source: Keypoints, kp_driving: Keypoints
    ) -> dict[str, Tensor]:
        """Move encoded sources to the driving keypoints; a source of batch 1 serves them all.

        Returns:
            ``prediction`` ``(B, 3, S, S)`` in [0, 1] and ``deformation`` ``(B, h, w, 2)`` in [-1, 1].

        """
        count = len(kp_driving["value"])
        features, source = (tensor.expand(count, -1, -1, -1) for tensor in (features, source))
        sources = expand_keypoints(kp_source, count)
        points = {f"source_{name}": tensor for name, tensor in _tensors(sources).items()}
        points |= {f"driving_{name}": tensor for name, tensor in _tensors(kp_driving).items()}
        return self._animator(features=features, source=source, **points)


def _tensors(keypoints: Keypoints) -> dict[str, Tensor]:
    named = {"value": keypoints["value"]}
    if "jacobian" in keypoints:
        named["jacobian"] = keypoints["jacobian"]
    return named


class ExportedFirstOrderModel:
    """Animates pictures with onnxruntime; a ``pipelines.animation_model.AnimationModel``.

    Several threads may use one at the same time.

    Args:
        folder: holds ``detector.onnx``, ``source_encoder.onnx`` and ``animator.onnx``.
        arguments: of the ``FirstOrderModel`` that was exported.
        device: where onnxruntime computes, as of ``Session``.

    Raises:
        UserError: onnxruntime is missing, or a file is damaged or belongs to another model.

    """

    training = False
    device = torch.device("cpu")
    """Where pictures lie, wherever onnxruntime computes."""

    def __init__(
        self,
        folder: Path,
        arguments: Mapping[str, int | float | str | bool],
        device: str = "cpu",
    ) -> None:
        self.arguments = dict(arguments)
        shapes = Shapes(self.arguments)
        detector, encoder, animator = (
            Session(folder / f"{name}.onnx", *pair, device)
            for name, pair in (
                ("detector", ({"pictures": shapes.picture}, shapes.points(""))),
                ("source_encoder", ({"source": shapes.picture}, {"features": shapes.features})),
                ("animator", (shapes.rendered, {"prediction": shapes.picture, "deformation": shapes.field})),
            )
        )
        self.keypoint_detector = ExportedDetector(detector)
        self.generator = ExportedGenerator(encoder, animator)

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Load a folder of ``animate export --format onnx``.

        Raises:
            UserError: it holds no such model, or the device is not there.

        """
        return cls(folder, arguments_of(folder, "fomm"), device)


class Shapes:
    """The shapes of what goes into and comes out of the graphs of a First Order Motion Model."""

    def __init__(self, arguments: Mapping[str, int | float | str | bool]) -> None:
        size, depth = int(arguments["image_size"]), int(arguments["generator_depth"])
        width = min(int(arguments["generator_max_width"]), int(arguments["generator_width"]) * 2**depth)
        self.picture: Shape = (None, 3, size, size)
        self.features: Shape = (None, width, size >> depth, size >> depth)
        side = int(arguments["motion_size"])
        self.field: Shape = (None, side, side, 2)
        self._count = int(arguments["num_keypoints"])
        self._jacobian = arguments["jacobian"] != "none"

    def points(self, prefix: str) -> dict[str, Shape]:
        """Name keypoints and, where the model has them, Jacobians."""
        shapes: dict[str, Shape] = {f"{prefix}value": (None, self._count, 2)}
        return shapes | ({f"{prefix}jacobian": (None, self._count, 2, 2)} if self._jacobian else {})

    @property
    def rendered(self) -> dict[str, Shape]:
        """Name the inputs of the animator."""
        source = {"features": self.features, "source": self.picture}
        return source | self.points("source_") | self.points("driving_")
