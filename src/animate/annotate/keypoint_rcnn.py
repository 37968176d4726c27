"""Body joints by torchvision's Keypoint R-CNN (He et al., Mask R-CNN, 2017; ResNet-50 with a pyramid)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animate.annotate.figures import Figure, main_figures, make_pose, to_unit, unit_box
from animate.annotate.rcnn import SIDE, SURE, Detector
from animate.layouts import COCO17

if TYPE_CHECKING:
    from animate.annotate.protocols import Box, Frames, Pose
    from animate.annotate.rcnn import Answer


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
        from torchvision.models.detection import keypointrcnn_resnet50_fpn as build

        self._detector = Detector("keypoint_rcnn", build, "Keypoint R-CNN", device, side, sure)
        self.version = self._detector.version

    def __call__(self, frames: Frames) -> Pose:
        """See ``PointFinder``."""
        size = (frames.shape[1], frames.shape[2])
        persons = [_figures(answer, size) for answer in self._detector(frames)]
        main = main_figures([[box for box, _ in frame] for frame in persons])
        return make_pose(COCO17, [None if i is None else p[i][1] for p, i in zip(persons, main, strict=True)])


def _figures(answer: Answer, size: tuple[int, int]) -> list[tuple[Box, Figure]]:
    """Bring the network's answer for one picture into the project's coordinates."""
    heights = answer["keypoints_scores"].astype(np.float64)
    scores = np.where(heights > 0.0, answer["scores"][:, None] / (1.0 + np.exp(-heights)), 0.0)
    boxes = [unit_box(b, float(s), size) for b, s in zip(answer["boxes"], answer["scores"], strict=True)]
    points = to_unit(answer["keypoints"][..., :2], size)
    return [(box, Figure(p, s)) for box, p, s in zip(boxes, points, scores, strict=True)]
