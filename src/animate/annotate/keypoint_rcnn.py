"""Body joints by torchvision's Keypoint R-CNN (He et al., Mask R-CNN, 2017; ResNet-50 with a pyramid)."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from animate.annotate.figures import Figure, main_figures, make_pose, to_unit, unit_box
from animate.annotate.libraries import digest, pretrained_weights
from animate.errors import UserError
from animate.layouts import COCO17

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from animate.annotate.protocols import Box, Frames, Pose

SIDE = 800
"""Shorter side of the pictures that the network sees, as it was trained."""
SURE = 0.7
"""Score from which something is a person."""
_AT_ONCE = 8


class KeypointRcnn:
    """Finds the 17 joints of the main person.

    A joint is found where its heat map rises above 0; its score is that height through a logistic curve,
    times the person's score. A picture takes about 2 s on a CPU.

    Args:
        device: a torch device; None: the GPU if there is one.
        side: shorter side at which persons are looked for.
        sure: score from which something is a person.

    Raises:
        UserError: the weights cannot be had or are of another network.

    """

    name = "keypoint_rcnn"
    layout = COCO17.name

    def __init__(self, device: str | None = None, side: int = SIDE, sure: float = SURE) -> None:
        import torch

        path = pretrained_weights("keypoint_rcnn")
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._network = keypoint_rcnn(path, side, sure).to(self._device)
        self.version = f"torchvision-{metadata.version('torchvision')} {side}-{sure} {digest(path)}"

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        found = [self._persons(frames[n : n + _AT_ONCE]) for n in range(0, len(frames), _AT_ONCE)]
        persons = [frame for some in found for frame in some]
        main = main_figures([[box for box, _ in frame] for frame in persons])
        return make_pose(COCO17, [None if i is None else p[i][1] for p, i in zip(persons, main, strict=True)])

    def _persons(self, frames: Frames) -> list[list[tuple[Box, Figure]]]:
        import torch

        pictures = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device)
        with torch.inference_mode():
            answers = self._network(list(pictures.permute(0, 3, 1, 2).float() / 255.0))
        return [_figures(answer, frames.shape[1:3]) for answer in answers]


def keypoint_rcnn(path: Path, side: int, sure: float) -> nn.Module:
    """Build the network from a file of torchvision's layout, in evaluation mode.

    Raises:
        UserError: the file holds something else.

    """
    import torch
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    network: nn.Module = keypointrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=side, box_score_thresh=sure
    )
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load has no exception of its own for a file it cannot read
        raise UserError(
            f"{path}: no weights of Keypoint R-CNN in it; give a state dict of torchvision's "
            "keypointrcnn_resnet50_fpn"
        ) from error
    return network.eval()


def _figures(answer: dict[str, Tensor], shape: tuple[int, ...]) -> list[tuple[Box, Figure]]:
    """Bring the network's answer for one picture into the project's coordinates."""
    size = (shape[0], shape[1])
    values: dict[str, NDArray[Any]] = {key: value.cpu().numpy() for key, value in answer.items()}
    heights = values["keypoints_scores"].astype(np.float64)
    scores = np.where(heights > 0.0, values["scores"][:, None] / (1.0 + np.exp(-heights)), 0.0)
    boxes = [unit_box(b, float(s), size) for b, s in zip(values["boxes"], values["scores"], strict=True)]
    points = to_unit(values["keypoints"][..., :2], size)
    return [(box, Figure(p, s)) for box, p, s in zip(boxes, points, scores, strict=True)]
