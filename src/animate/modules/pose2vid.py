"""pose2vid: how pix2pixHD is trained and scored on poses, frame by frame or over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from animate.errors import UserError
from animate.modules import optim
from animate.modules.adversarial import AdversarialModule
from animate.modules.conditional_gan import LossWeights, adversarial_terms
from animate.ops.skeleton import coloured
from animate.types import Batch, StepOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from animate.losses.perceptual import PerceptualLoss
    from animate.modules.optim import AdamSettings
    from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD


class Pose2Vid(AdversarialModule):
    """Chan et al., "Everybody Dance Now" (2019), over pix2pixHD (Wang et al., 2018).

    The generator turns labels, as a rule skeletons drawn from the batch's points, into pictures. Where the
    networks look at the previous frame, a sample's frames are made one after the other, each from the
    prediction before it, and the discriminator sees all of them at once (temporal smoothing, section 3.2 of
    the paper); else each frame stands for itself.

    Args:
        networks: the generator and what makes its input.
        discriminator: needed where ``loss_weights.generator_gan`` is not 0, else left out. Its inputs are the
            labels and pictures of all frames of a sample.
        perceptual: needed where ``loss_weights.perceptual`` is not 0.
        loss_weights: what counts how much.
        optimizer: Adam's settings of ``generator`` and ``discriminator``.
        constant_epochs: for so long the learning rates stay.
        decay_epochs: then they fall in equal steps, and would be 0 after so many more.
        freeze: patterns of parameter names that do not learn (``modules.optim.freeze``).
        recompute: compute the generator's blocks again in the backward pass instead of keeping them: less
            memory, more time, the same result.

    Raises:
        UserError: a part is missing whose loss has a weight, a name fits nothing, or the discriminator does
            not take what the networks make.

    """

    TRUTH: ClassVar[tuple[str, ...]] = ("points", "visible")
    """What evaluation reads along with the frames."""

    networks: Pix2PixHD
    discriminator: MultiscaleDiscriminator | None
    loss_weights: LossWeights

    def __init__(
        self,
        networks: Pix2PixHD,
        discriminator: MultiscaleDiscriminator | None = None,
        perceptual: PerceptualLoss | None = None,
        loss_weights: LossWeights | None = None,
        optimizer: Mapping[str, AdamSettings] | None = None,
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        freeze: Sequence[str] = (),
        recompute: bool = False,
    ) -> None:
        super().__init__(
            networks, discriminator, perceptual, loss_weights or LossWeights(), optimizer, freeze
        )
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self._last: dict[str, tuple[int, Tensor]] = {}
        networks.recompute(recompute)

    @override
    def parts(self) -> dict[str, nn.Module | None]:
        """Name the two sides."""
        return {"generator": self.networks, "discriminator": self.discriminator}

    @override
    def schedule(self, optimizer: Optimizer) -> LRScheduler:
        """Let the learning rates fall linearly in the end."""
        return optim.linear_decay(optimizer, self.constant_epochs, self.decay_epochs)

    @override
    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Build every weighted term of the objective, by name, for ``(B, T, 3, H, W)`` frames."""
        real = batch["frames"]
        condition = self.condition(batch)
        fake = self.rollout(condition, self._features(batch))
        terms = self.reconstruction_terms(fake.flatten(0, 1), real.flatten(0, 1))
        if self.discriminator is not None:
            terms |= adversarial_terms(
                self.discriminator,
                condition.flatten(1, 2),
                fake.flatten(1, 2),
                real.flatten(1, 2),
                self.loss_weights,
            )
        return terms

    def condition(self, batch: Batch) -> Tensor:
        """Make what is to be shown: ``(B, T, C, H, W)``, from the batch's labels, else from its points.

        Raises:
            UserError: the size of the frames does not suit the networks.

        """
        frames = batch["frames"]
        height, width = frames.shape[-2:]
        multiple = self.networks.generator.multiple
        if height % multiple or width % multiple:
            raise UserError(
                f"data.image_size: {height}x{width} is not a multiple of {multiple}, as these networks need"
            )
        instance = batch["instance"].flatten(0, 1) if "instance" in batch else None
        if "label" in batch:
            label = batch["label"].flatten(0, 1)
        else:
            points, visible = batch["points"].flatten(0, 1), batch["visible"].flatten(0, 1)
            label = self.networks.draw(points, visible, (height, width))
        return _by_sample(self.networks.condition(label, instance), frames)

    def _features(self, batch: Batch) -> Tensor | None:
        """Encode the instances of the true frames, where the networks look at such features."""
        if self.networks.encoder is None:
            return None
        frames = batch["frames"]
        return _by_sample(
            self.networks.encoder(frames.flatten(0, 1), batch["instance"].flatten(0, 1)), frames
        )

    def rollout(
        self, condition: Tensor, features: Tensor | None = None, previous: Tensor | None = None
    ) -> Tensor:
        """Make frames: all at once, or one after the other where each looks at the one before.

        Args:
            condition: (B, T, C, H, W) from ``condition``.
            features: (B, T, F, H, W), where the networks take some.
            previous: (B, 3, H, W), what was made before the first of them; None at the beginning of a clip.

        Returns:
            (B, T, 3, H, W) in [0, 1].

        """
        networks = self.networks
        if not networks.arguments["previous"]:
            inner = None if features is None else features.flatten(0, 1)
            return _by_sample(
                networks.generator(networks.join(condition.flatten(0, 1), features=inner)), condition
            )
        made = []
        for step in range(condition.shape[1]):
            now = None if features is None else features[:, step]
            previous = networks.generator(networks.join(condition[:, step], features=now, previous=previous))
            made.append(previous)
        return torch.stack(made, dim=1)

    @override
    def reconstruct(self, batch: Batch) -> StepOutput:
        """Make frames 1 to T - 1 of each of B clips from their labels: N = B (T - 1).

        Frame 0 is only what copying would give. A clip that arrives in chunks goes on where it stopped: the
        last picture that was made of it is the previous frame of the next.
        """
        frames, each = batch["frames"], batch["frames"].shape[1] - 1
        rest = slice(1, None)
        condition, features = self.condition(batch)[:, rest], self._features(batch)
        made = self.rollout(condition, None if features is None else features[:, rest], self._before(batch))
        self._remember(batch, made)
        prediction, shown = self._retouched(made.flatten(0, 1), condition.flatten(0, 1), batch)
        return StepOutput(
            prediction=prediction,
            target=frames[:, rest].flatten(0, 1),
            source=frames[:, 0].repeat_interleave(each, dim=0),
            clip=[name for name in batch["clip"] for _ in range(each)],
            frame=batch["frame_index"][:, rest].flatten().tolist(),
            pictures={"label": self._shown(condition.flatten(0, 1)), **shown},
        )

    def _retouched(self, made: Tensor, condition: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Correct the faces where the networks can; then also return what was there before, to be shown."""
        if self.networks.face is None:
            return made, {}
        points, visible = batch["points"][:, 1:].flatten(0, 1), batch["visible"][:, 1:].flatten(0, 1)
        return self.networks.retouch(made, condition, points, visible), {"before": made}

    def _before(self, batch: Batch) -> Tensor | None:
        """Return the pictures that precede this chunk, where all of its clips go on from one before."""
        if not self.networks.arguments["previous"]:
            return None
        firsts = batch["frame_index"][:, 1].tolist()
        known = [self._last.get(name, (-1, None)) for name in batch["clip"]]
        goes_on = all(last + 1 == first and first > 0 for (last, _), first in zip(known, firsts, strict=True))
        return torch.stack([picture for _, picture in known if picture is not None]) if goes_on else None

    def _remember(self, batch: Batch, made: Tensor) -> None:
        """Keep the last picture of each clip of this chunk, and of no other."""
        if self.networks.arguments["previous"]:
            lasts = batch["frame_index"][:, -1].tolist()
            self._last = dict(zip(batch["clip"], zip(lasts, made[:, -1].detach(), strict=True), strict=True))

    def _shown(self, condition: Tensor) -> Tensor:
        """Make labels fit to be looked at: (N, 3, H, W) in [0, 1]."""
        labels = int(self.networks.arguments["labels"])
        if self.networks.arguments["indexed"]:
            return coloured(condition[:, :labels].argmax(dim=1), labels)
        return condition[:, :3]


def _by_sample(x: Tensor, like: Tensor) -> Tensor:
    """Undo ``flatten(0, 1)``: (B T, ...) to (B, T, ...), B and T being those of ``like``."""
    return x.view(*like.shape[:2], *x.shape[1:])
