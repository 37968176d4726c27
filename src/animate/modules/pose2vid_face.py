"""pose2vid's second look at the head, and at the hands: a residual on a crop, learned after the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from animate.errors import UserError
from animate.modules.conditional_gan import LossWeights, adversarial_terms
from animate.modules.pose2vid import Pose2Vid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from animate.losses.perceptual import PerceptualLoss
    from animate.modules.optim import AdamSettings
    from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD
    from animate.types import Batch

HALVED = LossWeights(perceptual=5.0, generator_gan=0.5, feature_matching=0.0)


class Pose2VidFace(Pose2Vid):
    """Chan et al., "Everybody Dance Now" (2019), section 3.3, as a stage of its own.

    The picture's generator stands still. Around each region of each frame a square is cut out of the label,
    the generated picture and the true one; the face generator corrects the generated square, and a
    discriminator judges it beside the label's.

    Args:
        networks: with a face generator; the others are frozen here.
        discriminator: judges one square: the label's channels and 3.
        perceptual: as in ``Pose2Vid``.
        loss_weights: halved in comparison with the picture's, and without feature matching, as published.
        optimizer: Adam's settings of ``generator`` (here the face generator) and ``discriminator``.
        constant_epochs: as in ``Pose2Vid``.
        decay_epochs: as in ``Pose2Vid``.
        freeze: more that does not learn, as in ``Pose2Vid``.
        recompute: as in ``Pose2Vid``.

    Raises:
        UserError: as ``Pose2Vid``, or the networks have no face generator.

    """

    def __init__(
        self,
        networks: Pix2PixHD,
        discriminator: MultiscaleDiscriminator | None = None,
        perceptual: PerceptualLoss | None = None,
        loss_weights: LossWeights | None = None,
        optimizer: dict[str, AdamSettings] | None = None,
        constant_epochs: int = 5,
        decay_epochs: int = 5,
        freeze: Sequence[str] = (),
        recompute: bool = False,
    ) -> None:
        if networks.face is None:
            raise UserError("model.networks.face=false: the stage that trains the face generator needs one")
        super().__init__(
            networks,
            discriminator,
            perceptual,
            loss_weights or HALVED,
            optimizer,
            constant_epochs,
            decay_epochs,
            freeze=[*_all_but_the_face(networks), *freeze],
            recompute=recompute,
        )

    @override
    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Build every weighted term of the objective, by name, over all regions of all frames."""
        with torch.no_grad():
            condition = self.condition(batch)
            made = self.rollout(condition, self._features(batch)).flatten(0, 1)
        points, visible = batch["points"].flatten(0, 1), batch["visible"].flatten(0, 1)
        squares = self.networks.squares(points, visible, (made.shape[-2], made.shape[-1]))
        label, fake, real = (
            squares.cut(frames) for frames in (condition.flatten(0, 1), made, batch["frames"].flatten(0, 1))
        )
        assert self.networks.face is not None
        better = self.networks.face(label, fake)
        terms = self.reconstruction_terms(better, real)
        if self.discriminator is not None:
            terms |= adversarial_terms(self.discriminator, label, better, real, self.loss_weights)
        return terms


def _all_but_the_face(networks: Pix2PixHD) -> Sequence[str]:
    """Name the other parts that have parameters."""
    names = {name.split(".", 1)[0] for name, _ in networks.named_parameters()}
    return [f"networks.{name}" for name in sorted(names - {"face"})]
