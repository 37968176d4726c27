"""Networks that are done with learning."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from animate.networks.blocks import ConvBlock, ResBlock

Network = TypeVar("Network", bound=nn.Module)


def for_inference(network: Network) -> Network:
    """Make a trained network faster, in place, and return it; it cannot be trained afterwards.

    A batch norm that follows a convolution becomes part of its weights, which changes results by rounding
    only, and weights are laid out with their channels last, as convolutions of a CPU and of tensor cores take
    them. Its ``state_dict`` is no longer that of a checkpoint.

    Args:
        network: in evaluation mode.

    Raises:
        ValueError: it is in training mode, where batch norms take the statistics of the batch.

    """
    if network.training:
        raise ValueError("call eval() first: in training mode batch norms take the statistics of the batch")
    for block in network.modules():
        if isinstance(block, ConvBlock):
            block.conv, block.norm = _folded(block.conv, block.norm)
        elif isinstance(block, ResBlock):  # its first batch norm follows a sum
            block.conv1, block.norm2 = _folded(block.conv1, block.norm2)
    return network.to(memory_format=torch.channels_last)


def _folded(conv: nn.Conv2d, norm: nn.Module) -> tuple[nn.Conv2d, nn.Module]:
    """Return the convolution that does the work of both, and what is left of the norm."""
    if not isinstance(norm, nn.BatchNorm2d):
        return conv, norm
    return fuse_conv_bn_eval(conv, norm), nn.Identity()
