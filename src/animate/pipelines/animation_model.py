"""What the pipelines ask of a model that animates pictures, whatever computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from torch import Tensor

    from animate.types import Keypoints


class SourceRenderer(Protocol):
    """Encodes sources, and moves encoded ones to keypoints."""

    def encode(self, source: Tensor) -> Tensor:
        """Compute the features of ``(B, 3, S, S)`` sources in [0, 1]."""

    def decode(
        self, features: Tensor, source: Tensor, *, kp_source: Keypoints, kp_driving: Keypoints
    ) -> Mapping[str, Any]:
        """Move sources, of batch 1 or as many as driving keypoints.

        Returns:
            ``prediction``, (B, 3, S, S) in [0, 1], and ``deformation``, (B, h, w, 2): where in the source to
            look, in [-1, 1].

        """


class AnimationModel(Protocol):
    """A First Order Motion Model, ready to animate: ``networks.fomm.FirstOrderModel`` or an exported one."""

    @property
    def training(self) -> bool:
        """Whether a picture would depend on the others of its batch; pipelines refuse that."""

    @property
    def arguments(self) -> Mapping[str, int | float | str | bool]:
        """The arguments of ``FirstOrderModel`` that describe it."""

    @property
    def device(self) -> torch.device:
        """Where pictures are to lie."""

    @property
    def keypoint_detector(self) -> Callable[[Tensor], Keypoints]:
        """Finds the keypoints of ``(B, 3, S, S)`` pictures in [0, 1]."""

    @property
    def generator(self) -> SourceRenderer:
        """Renders."""
