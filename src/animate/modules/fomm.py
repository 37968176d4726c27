"""First Order Motion Model: how it is trained and scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from animate.losses.adversarial import discriminator_loss, generator_loss
from animate.losses.equivariance import equivariance_jacobian_loss, equivariance_value_loss
from animate.losses.feature_matching import feature_matching_loss
from animate.modules import optim
from animate.modules.adversarial import AdversarialModule
from animate.networks.fomm import repeat_keypoints
from animate.ops.transform import RandomTransform, TransformNoise
from animate.types import Batch, Keypoints, StepOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from animate.losses.perceptual import PerceptualLoss
    from animate.modules.optim import AdamSettings
    from animate.networks.fomm import Animation, Discriminator, FirstOrderModel


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts. A term of weight 0 is not computed.

    Attributes:
        perceptual: of each layer of the feature network at each scale.
        reconstruction: of the mean absolute difference of pixels; 0 in the published model.
        generator_gan: of the generator's adversarial term; at 0 there is neither discriminator nor
            feature matching.
        discriminator_gan: of the discriminator's own term.
        feature_matching: of each layer of the discriminator.
        equivariance_value: of the keypoints' positions.
        equivariance_jacobian: of the keypoints' local motions, where the model has them.

    """

    perceptual: float = 10.0
    reconstruction: float = 0.0
    generator_gan: float = 1.0
    discriminator_gan: float = 1.0
    feature_matching: float = 10.0
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0


class FOMM(AdversarialModule):
    """Siarohin et al., "First Order Motion Model for Image Animation" (2019).

    Of two frames of one video the source, moved by its keypoints to those of the driving frame, must become
    the driving frame. One optimiser takes the sum of the generator's and the discriminator's terms: the
    discriminator is frozen while the generator's are built, and its own are built on the detached prediction.

    Args:
        networks: keypoint detector and generator.
        discriminator: needed where ``loss_weights.generator_gan`` is not 0, else left out.
        perceptual: needed where ``loss_weights.perceptual`` is not 0.
        loss_weights: what counts how much.
        transform: the random deformations behind the equivariance terms.
        optimizer: Adam's settings of ``keypoint_detector``, ``generator`` and ``discriminator``.
        milestones: epochs after which every learning rate is multiplied by ``gamma``.
        gamma: see ``milestones``.
        freeze: patterns of parameter names that do not learn (``modules.optim.freeze``).

    Raises:
        UserError: a part is missing whose loss has a weight, or a name fits nothing.

    """

    networks: FirstOrderModel
    discriminator: Discriminator | None
    loss_weights: LossWeights

    def __init__(
        self,
        networks: FirstOrderModel,
        discriminator: Discriminator | None = None,
        perceptual: PerceptualLoss | None = None,
        loss_weights: LossWeights | None = None,
        transform: TransformNoise | None = None,
        optimizer: Mapping[str, AdamSettings] | None = None,
        milestones: Sequence[int] = (),
        gamma: float = 0.1,
        freeze: Sequence[str] = (),
    ) -> None:
        super().__init__(
            networks, discriminator, perceptual, loss_weights or LossWeights(), optimizer, freeze
        )
        self.transform = transform or TransformNoise()
        self.milestones, self.gamma = list(milestones), gamma

    @override
    def parts(self) -> dict[str, nn.Module | None]:
        """Name the three networks."""
        detector, generator = self.networks.keypoint_detector, self.networks.generator
        return {"keypoint_detector": detector, "generator": generator, "discriminator": self.discriminator}

    @override
    def schedule(self, optimizer: Optimizer) -> LRScheduler:
        """Multiply the learning rates at the milestones."""
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, self.milestones, self.gamma)

    @override
    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Build every weighted term of the objective, by name, for ``(B, 2, 3, H, W)`` frame pairs."""
        source, driving = batch["frames"].unbind(1)
        detector = self.networks.keypoint_detector
        kp_source, kp_driving = detector(source), detector(driving)
        animation = self.networks.generator(source, kp_source=kp_source, kp_driving=kp_driving)
        terms = self.reconstruction_terms(animation["prediction"], driving)
        if optim.learns(detector):
            terms |= self._equivariance_terms(driving, kp_driving, batch["seed"])
        if self.discriminator is not None:
            fake, points = animation["prediction"], kp_driving["value"].detach()
            terms |= self._generator_terms(self.discriminator, fake, driving, points)
            if optim.learns(self.discriminator):
                terms |= self._discriminator_terms(self.discriminator, fake.detach(), driving, points)
        return terms

    def _equivariance_terms(
        self, driving: Tensor, keypoints: Keypoints, seeds: list[int]
    ) -> dict[str, Tensor]:
        """How far the keypoints are from following a random deformation of the driving frame."""
        value_weight = self.loss_weights.equivariance_value
        jacobian_weight = self.loss_weights.equivariance_jacobian if "jacobian" in keypoints else 0.0
        terms: dict[str, Tensor] = {}
        if not (value_weight or jacobian_weight):
            return terms
        transform = RandomTransform.draw(seeds, self.transform, driving.device)
        transformed = self.networks.keypoint_detector(transform.picture(driving))
        if value_weight:
            distance = equivariance_value_loss(keypoints, transformed, transform)
            terms["equivariance_value"] = value_weight * distance
        if jacobian_weight:
            distance = equivariance_jacobian_loss(keypoints, transformed, transform)
            terms["equivariance_jacobian"] = jacobian_weight * distance
        return terms

    def _generator_terms(
        self, discriminator: Discriminator, fake: Tensor, real: Tensor, points: Tensor
    ) -> dict[str, Tensor]:
        """How little the discriminator takes the prediction for real; it only judges here."""
        weights = self.loss_weights
        with optim.frozen(discriminator):
            made = discriminator(fake, points)
            terms = {"generator_gan": weights.generator_gan * generator_loss(made.score)}
            if weights.feature_matching:
                with torch.no_grad():
                    goal = discriminator(real, points)
                distance = feature_matching_loss(made.features, goal.features)
                terms["feature_matching"] = weights.feature_matching * distance
        return terms

    def _discriminator_terms(
        self, discriminator: Discriminator, fake: Tensor, real: Tensor, points: Tensor
    ) -> dict[str, Tensor]:
        """How badly the discriminator tells prediction and driving frame apart; ``fake`` is detached."""
        made, seen = discriminator(fake, points), discriminator(real, points)
        loss = discriminator_loss(real_score=seen.score, fake_score=made.score)
        return {"discriminator_gan": self.loss_weights.discriminator_gan * loss}

    @override
    def reconstruct(self, batch: Batch) -> StepOutput:
        """Predict frames 1 to T - 1 of each of B clips from frame 0 and their keypoints: N = B (T - 1).

        Each source is encoded once.
        """
        frames, each = batch["frames"], batch["frames"].shape[1] - 1
        targets = frames[:, 1:].flatten(0, 1)
        detector, generator = self.networks.keypoint_detector, self.networks.generator
        kp_source, kp_target = repeat_keypoints(detector(frames[:, 0]), each), detector(targets)
        source = frames[:, 0].repeat_interleave(each, dim=0)
        features = generator.encode(frames[:, 0]).repeat_interleave(each, dim=0)
        animation = generator.decode(features, source, kp_source=kp_source, kp_driving=kp_target)
        return StepOutput(
            prediction=animation["prediction"],
            target=targets,
            source=source,
            clip=[name for name in batch["clip"] for _ in range(each)],
            frame=batch["frame_index"][:, 1:].flatten().tolist(),
            source_keypoints=kp_source["value"],
            target_keypoints=kp_target["value"],
            pictures=_pictures(animation),
        )


def _pictures(animation: Animation) -> dict[str, Tensor]:
    """Collect the deformed source, the occlusion map, and the source warped by each keypoint alone."""
    pictures = {"deformed": animation["deformed"]}
    if "occlusion_map" in animation:
        pictures["occlusion_map"] = animation["occlusion_map"]
    warped = animation["sparse_deformed"][:, 1:].unbind(1)  # slot 0 is the background, which stays
    return pictures | {f"warp_{k}": picture for k, picture in enumerate(warped)}
