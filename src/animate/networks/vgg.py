"""VGG19 as a source of features for perceptual losses.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015), layout E,
up to the first convolution of the fifth block; layers are numbered as in torchvision's ``vgg19().features``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animate.errors import UserError

BLOCKS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (64, (0, 2)),
    (128, (5, 7)),
    (256, (10, 12, 14, 16)),
    (512, (19, 21, 23, 25)),
    (512, (28,)),
)
"""Width of each block, and the torchvision numbers of its convolutions; max pooling stands between blocks."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """The activations relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, at strides 1, 2, 4, 8 and 16.

    The weights are not initialised here (``vgg19_random``, ``vgg19_from_file`` set them) and get no gradient.
    Pictures of fewer than 16 pixels a side have no relu5_1.

    Args:
        width_divisor: every layer has this many times fewer channels than VGG19 (1 is VGG19 itself): a
            cheaper network of random weights for small pictures.

    """

    mean: Tensor
    std: Tensor

    def __init__(self, width_divisor: int = 1) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        channels = 3
        with torch.device("meta"):  # not initialised here: that would draw from PyTorch's own generator
            for width, numbers in BLOCKS:
                for number in numbers:
                    self.convs[str(number)] = nn.Conv2d(channels, width // width_divisor, 3, padding=1)
                    channels = width // width_divisor
        self.convs.to_empty(device="cpu")
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, picture: Tensor, *, standardise: bool = True) -> list[Tensor]:
        """Compute the five activations of ``(B, 3, H, W)`` RGB in [0, 1], the finest first.

        Pictures are brought to ImageNet's mean and deviation, or else to [-1, 1].
        """
        x = (picture - self.mean) / self.std if standardise else 2 * picture - 1
        x = x.contiguous(memory_format=torch.channels_last)
        features = []
        for block, (_, numbers) in enumerate(BLOCKS):
            x = x if block == 0 else F.max_pool2d(x, 2)
            for number in numbers:
                x = F.relu(self.convs[str(number)](x), inplace=True)
                if number == numbers[0]:
                    features.append(x)
        return features


def vgg19_random(seed: int = 0, width_divisor: int = 1) -> VGG19Features:
    """Make a VGG19 of random weights: a stated choice that needs no file, and judges pictures less well.

    He initialisation (normal, variance ``2 / fan_in``, no biases) keeps the scale of activations from layer
    to layer. The weights depend on ``seed`` and ``width_divisor`` only, not on PyTorch's own generator.
    """
    network = VGG19Features(width_divisor)
    generator = torch.Generator().manual_seed(seed)
    for conv in network.convs.values():
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(conv.bias)
    return network


def vgg19_from_file(path: str | Path) -> VGG19Features:
    """Read VGG19 from a file of torchvision's layout, tensors ``features.<number>.weight`` and ``.bias``.

    Layers beyond relu5_1 are left aside.

    Raises:
        UserError: there is no such file, or it holds something else.

    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; it should hold torchvision's VGG19 weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load has no exception of its own for a file it cannot read
        raise UserError(f"{path}: not a PyTorch weight file ({type(error).__name__})") from error
    if not isinstance(state, Mapping):
        raise UserError(f"{path}: not a state dict; give one of torchvision's vgg19")
    return vgg19_from_state(state, str(path))


def vgg19_from_state(state: Mapping[str, Tensor], name: str = "VGG19 weights") -> VGG19Features:
    """Build VGG19 from tensors of torchvision's names; narrower layers give a narrower network.

    Raises:
        UserError: a tensor is missing or of the wrong shape; ``name`` tells in the message which weights.

    """
    remedy = "give a state dict of torchvision's vgg19"
    first = state.get("features.0.weight")
    width_divisor = BLOCKS[0][0] // len(first) if first is not None and len(first) else 1
    network = VGG19Features(max(width_divisor, 1))
    ours = {key: state.get(f"features.{key.removeprefix('convs.')}") for key in network.state_dict()}
    missing = [key.removeprefix("convs.") for key, value in ours.items() if value is None]
    if missing:
        raise UserError(f"{name}: no VGG19 in it, features.{missing[0]} is missing; {remedy}")
    try:
        network.load_state_dict(ours)
    except RuntimeError as error:
        raise UserError(f"{name}: the layers do not have VGG19's shapes; {remedy}") from error
    return network
