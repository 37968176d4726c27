"""All that is kept of pix2pixHD and pose2vid after training, built from plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError
from animate.layouts import layout_named
from animate.networks.pix2pixhd.clusters import FeatureClusters
from animate.networks.pix2pixhd.encoder import Encoder
from animate.networks.pix2pixhd.face import FaceGenerator
from animate.networks.pix2pixhd.regions import Regions, Squares, points_of
from animate.networks.pix2pixhd.translator import Generator, Translator, from_picture
from animate.ops.instances import instance_edges
from animate.ops.skeleton import limb_map, rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animate.networks.pix2pixhd.blocks import Norm

PICTURE = 3
"""Channels."""


class Pix2PixHD(nn.Module):
    """The generator with what makes its input, and the optional encoder and face generator.

    Wang et al. (2018); with ``previous`` and ``face``, Chan et al., "Everybody Dance Now" (2019).

    The generator's own input is, in this order of channels: the label, the edges between instances,
    the features of instances, the previous frame. ``condition`` makes the first two of them, which are what
    a discriminator sees as well; ``join`` adds the others.

    Args:
        labels: number of classes of an index map, or of channels of a label picture (3 of a rendered
            skeleton).
        indexed: whether labels are index maps ``(B, 1, H, W)`` of whole numbers, or pictures in [0, 1].
        skeleton: the layout of points whose skeletons are the labels (``draw``): as a map of limbs where
            ``indexed``, else in colours. Empty where labels come from elsewhere.
        edges: whether the edges of an instance map are an input.
        features: how many features of each instance are an input; 0 for none, and for no encoder.
        previous: whether the previous frame is an input.
        width: channels after the global part's first layer; each enhancer has half as many as the part before
            it (the published enhancer of width 32 goes with a global part of width 64).
        depth: halvings inside of the global part.
        blocks: residual blocks of the global part.
        enhancers: number of local enhancers; 0 is the global generator alone.
        enhancer_blocks: residual blocks of each enhancer.
        norm: ``instance`` or ``batch``, in all networks here.
        encoder_width, encoder_depth: the encoder, of use with ``features`` only.
        clusters: typical appearances kept of each class, of use with ``features`` only.
        face: whether there is a face generator.
        face_width, face_depth, face_blocks: the face generator.
        face_regions: where it looks: the ``head``, or the head and both hands (``head_hands``).
        face_side: of the squares around them, in pixels.

    Attributes:
        generator: the network's own input ``(B, in_channels, H, W)`` to ``(B, 3, H, W)`` in [0, 1].
        encoder: pictures and instance maps to features, or None.
        clusters: typical features, or None.
        face: label and picture of the head to a corrected picture, or None.
        condition_channels: label and edges.
        in_channels: all inputs of the generator.

    Raises:
        UserError: the width cannot be halved once for each enhancer, or ``labels`` is not the number that a
            skeleton gives.

    """

    OPTIONAL = (
        *(f"generator.enhancers.{number}" for number in range(4)),
        *("generator.head", "encoder", "clusters", "face"),
    )
    """Parts that a later stage of training may add to what an earlier one trained (``init_from``)."""

    def __init__(
        self,
        labels: int = 18,
        indexed: bool = True,
        skeleton: str = "",
        edges: bool = False,
        features: int = 0,
        previous: bool = False,
        width: int = 64,
        depth: int = 4,
        blocks: int = 9,
        enhancers: int = 0,
        enhancer_blocks: int = 3,
        norm: Norm = "instance",
        encoder_width: int = 16,
        encoder_depth: int = 4,
        clusters: int = 10,
        face: bool = False,
        face_width: int = 64,
        face_depth: int = 3,
        face_blocks: int = 5,
        face_regions: Regions = "head",
        face_side: int = 128,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in {"self", "__class__"}}
        super().__init__()
        self.arguments: dict[str, int | float | str | bool] = arguments
        self.layout = layout_named(skeleton) if skeleton else None
        self._regions = points_of(face_regions, self.layout) if self.layout else []
        self._face_side = face_side
        drawn = len(self.layout.limbs) + 1 if self.layout and indexed else 3
        if self.layout and labels != drawn:
            kind = "a map of its limbs" if indexed else "a drawing"
            raise UserError(f"labels={labels}: {kind} of the skeleton {skeleton} has {drawn}")
        self.condition_channels = labels + edges
        self.in_channels = self.condition_channels + features + PICTURE * previous
        self.generator = Generator(
            self.in_channels, 3, width, depth, blocks, enhancers, enhancer_blocks, norm
        )
        self.encoder = Encoder(features, encoder_width, encoder_depth, norm) if features else None
        self.clusters = FeatureClusters(labels, clusters, features) if features else None
        self.face = (
            FaceGenerator(self.condition_channels, face_width, face_depth, face_blocks, norm)
            if face
            else None
        )

    def forward(
        self,
        label: Tensor,
        *,
        instance: Tensor | None = None,
        features: Tensor | None = None,
        previous: Tensor | None = None,
    ) -> Tensor:
        """Make pictures, by ``generator`` of ``join`` of ``condition``: ``(B, 3, H, W)`` in [0, 1]."""
        condition = self.condition(label, instance)
        picture: Tensor = self.generator(self.join(condition, features=features, previous=previous))
        return picture

    def draw(self, points: Tensor, found: Tensor, size: tuple[int, int]) -> Tensor:
        """Draw labels from points: a map of limbs where the network takes indices, else a coloured skeleton.

        Args:
            points: ``(B, J, 2)`` in [-1, 1], in the order of ``layout``.
            found: ``(B, J)`` bool.
            size: (height, width) of the labels.

        Returns:
            What ``condition`` takes: ``(B, 1, H, W)`` int64, or ``(B, 3, H, W)`` in [0, 1].

        """
        assert self.layout is not None, "this network's labels are no skeletons"
        if self.arguments["indexed"]:
            return limb_map(points, found, self.layout, size)[:, None]
        return rendered(points, found, self.layout, size)

    def condition(self, label: Tensor, instance: Tensor | None = None) -> Tensor:
        """Make the part of the input that says what is to be shown.

        Args:
            label: ``(B, 1, H, W)`` whole numbers where ``indexed``, else ``(B, labels, H, W)`` in [0, 1].
                A number that is no class gives a pixel without class; data are checked before.
            instance: ``(B, 1, H, W)`` whole numbers, needed with ``edges`` only.

        Returns:
            ``(B, condition_channels, H, W)`` of the weights' type.

        """
        if self.arguments["indexed"]:
            classes = torch.arange(int(self.arguments["labels"]), device=label.device)
            label = label == classes.view(-1, 1, 1)
        parts = [label]
        if self.arguments["edges"]:
            assert instance is not None, "this network needs an instance map"
            parts.append(instance_edges(instance))
        dtype = self.generator.head.weight.dtype
        return torch.cat([part.to(dtype) for part in parts], dim=1)

    def join(
        self, condition: Tensor, *, features: Tensor | None = None, previous: Tensor | None = None
    ) -> Tensor:
        """Make the generator's own input.

        Args:
            condition: from ``condition``.
            features: ``(B, features, H, W)`` from ``encoder`` or ``clusters``, where the network has them.
            previous: ``(B, 3, H, W)`` in [0, 1], the frame before, where the network looks at it; None for
                the first frame, which has zeros in the networks' range (as a grey frame would).

        Returns:
            ``(B, in_channels, H, W)``.

        """
        parts = [condition]
        if self.encoder is not None:
            assert features is not None, "this network needs features of instances"
            parts.append(features)
        if self.arguments["previous"]:
            zeros = condition.new_zeros(condition.shape[0], 3, *condition.shape[-2:])
            parts.append(zeros if previous is None else from_picture(previous).to(condition.dtype))
        return torch.cat(parts, dim=1)

    def squares(self, points: Tensor, found: Tensor, size: tuple[int, int]) -> Squares:
        """Place the squares that the face generator works on.

        Args:
            points: ``(B, J, 2)`` in [-1, 1], in the order of ``layout``.
            found: ``(B, J)`` bool.
            size: (height, width) of the pictures.

        """
        assert self._regions, "a face needs points, and this network's labels are no skeletons"
        return Squares.around(points, found, self._regions, self._face_side, size)

    def retouch(self, picture: Tensor, condition: Tensor, points: Tensor, found: Tensor) -> Tensor:
        """Let the face generator correct pictures where it looks; without one they stay as they are.

        Args:
            picture: ``(B, 3, H, W)`` RGB in [0, 1] from ``generator``.
            condition: ``(B, condition_channels, H, W)``.
            points: ``(B, J, 2)`` in [-1, 1].
            found: ``(B, J)`` bool. What was not found is not corrected.

        Returns:
            ``(B, 3, H, W)`` in [0, 1].

        """
        if self.face is None:
            return picture
        squares = self.squares(points, found, (picture.shape[-2], picture.shape[-1]))
        corrected = self.face(squares.cut(condition), squares.cut(picture))
        return squares.put_back(picture, corrected.clamp(0, 1))

    def widened(
        self, state: Mapping[str, Tensor], arguments: Mapping[str, object]
    ) -> tuple[dict[str, Tensor], str]:
        """Fit the weights of networks without previous frame to networks that look at it.

        Its channels are the last of the generator's input (``join``), and its weights 0, so that the pictures
        are the same as before.

        Args:
            state: of the other networks.
            arguments: of them.

        Returns:
            The state with what is added, unchanged where both or neither look at the previous frame; and in
            words what that is, and which skeletons they were made for if they are others.

        """
        own, theirs = (named["skeleton"] or "nothing" for named in (self.arguments, arguments))
        told = [f"its labels were skeletons of {theirs}, here of {own}"] if own != theirs else []
        if arguments["previous"] or not self.arguments["previous"]:
            return dict(state), ", ".join(told)
        first = [
            name for name in state if name.startswith("generator.") and name.endswith("stem.conv.weight")
        ]
        wider = {name: F.pad(state[name], (0, 0, 0, 0, 0, PICTURE)) for name in first}
        return {**state, **wider}, ", ".join(["the weights of the previous frame start at 0", *told])

    def recompute(self, enabled: bool = True) -> None:
        """Compute the blocks of all networks again in the backward pass instead of keeping them.

        A choice of each run, not of the architecture: it changes memory and time, no result.
        """
        for network in self.children():
            if isinstance(network, Translator):
                network.recompute(enabled)
