"""Files of weights for torchvision's detectors: random, small, and sure that everything is a person."""

import torch


def random_state(build, classes, **more):
    """Draw weights that differ along the input only: tens of millions of numbers out of a small file.

    Args:
        build: makes the network.
        classes: how many it has, with the background.
        more: values of its state.

    """
    with torch.device("meta"):
        network = build(weights=None, weights_backbone=None)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in network.state_dict().items():
        if tensor.ndim < 2:
            value = 1.0 if name.endswith(("running_var", "weight")) else 0.0
            state[name] = torch.tensor(value).expand(tensor.shape)
        else:
            row = torch.randn((1, *tensor.shape[1:]), generator=generator) * tensor[0].numel() ** -0.5
            state[name] = row.expand(tensor.shape)
    bias = torch.zeros(classes)
    bias[1] = 6.0
    return state | {"roi_heads.box_predictor.cls_score.bias": bias} | more
