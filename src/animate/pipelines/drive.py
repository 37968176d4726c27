"""Animate a picture with the motion of a driving video: a generator of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from animate.errors import UserError
from animate.ops.warp import resize, warp
from animate.pipelines.framing import to_model
from animate.pipelines.motion import MotionTransfer, closest_pose
from animate.pipelines.stream import batched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from animate.annotate.protocols import PointFinder
    from animate.pipelines.animation_model import AnimationModel
    from animate.pipelines.keypoint_smoothing import Smoothing
    from animate.types import Keypoints

BATCH_SIZE = 8
"""Driving frames per forward pass, unless told otherwise."""
CPU_PIXELS = 256 * 256
"""Pixels of a batch up to which a CPU gains from batching; beyond, the caches overflow and it gets slower."""


class EncodedSource:
    """A source picture, looked at once and ready to be rendered in other poses.

    Args:
        networks: in evaluation mode, on the device that the work is to be done on.
        picture: ``(H, W, 3)`` uint8; brought to the model's size by :func:`framing.to_model`.
        matte: ``(S, S)`` in [0, 1], 1 on the figure; :meth:`render` then tells where the figure has moved.

    """

    @torch.inference_mode()
    def __init__(
        self,
        networks: AnimationModel,
        picture: NDArray[np.uint8],
        matte: NDArray[np.float32] | None = None,
    ) -> None:
        if networks.training:
            raise ValueError("call networks.eval() first: in training mode a frame would depend on its batch")
        self.networks = networks
        self.picture = to_tensor(networks, [picture])
        self.keypoints: Keypoints = networks.keypoint_detector(self.picture)
        self.features: Tensor = networks.generator.encode(self.picture)
        self.matte = None if matte is None else torch.from_numpy(matte).to(self.picture)[None, None]

    def render(self, keypoints: Keypoints) -> Tensor:
        """Render the source at B sets of keypoints: ``(B, 3, S, S)`` in [0, 1].

        With a matte ``(B, 4, S, S)``: the last channel is the matte, moved by the model's dense motion.
        """
        animation = self.networks.generator.decode(
            self.features, self.picture, kp_source=self.keypoints, kp_driving=keypoints
        )
        rendered: Tensor = animation["prediction"]
        if self.matte is None:
            return rendered
        size = (self.matte.shape[-2], self.matte.shape[-1])
        field = resize(animation["deformation"].permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
        moved = warp(self.matte.expand(len(field), -1, -1, -1), field)
        return torch.cat([rendered, moved], dim=1)


def drive(
    networks: AnimationModel,
    source: NDArray[np.uint8],
    frames: Iterable[NDArray[np.uint8]],
    *,
    relative: bool = True,
    adapt_scale: bool = False,
    batch_size: int = BATCH_SIZE,
    initial: NDArray[np.uint8] | None = None,
    smoothing: Smoothing | None = None,
    matte: NDArray[np.float32] | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Yield the source picture in the pose of each driving frame, in order.

    The source is encoded once; at most ``batch_size`` driving frames are held at a time, however long the
    video. The result depends on the batch size by rounding only.

    Args:
        networks: a model in evaluation mode, on the device that the work is to be done on.
        source: ``(H, W, 3)`` uint8 picture, any size: the biggest square in its middle is used.
        frames: the driving frames, ``(H, W, 3)`` uint8 each, treated in the same way.
        relative: carry over what changed since the initial driving frame; otherwise the source takes the
            driving keypoints as they are.
        adapt_scale: scale relative movement by the ratio of the sizes of source and driving object.
        batch_size: driving frames per forward pass.
        initial: the driving frame whose pose is that of the source; the first one unless given.
        smoothing: of the driving keypoints, new for this video; None leaves them as they are found.
        matte: ``(S, S)`` in [0, 1], 1 on the figure in the source's square.

    Yields:
        ``(S, S, 3)`` uint8, S being the model's size; one per driving frame. With a matte ``(S, S, 4)``: the
        last channel says where the figure has moved.

    """
    encoded = EncodedSource(networks, source, matte)
    batches = render_batches(
        encoded,
        frames,
        relative=relative,
        adapt_scale=adapt_scale,
        batch_size=batch_size,
        initial=initial,
        smoothing=smoothing,
    )
    for _, prediction in batches:
        yield from to_pictures(prediction)


@torch.inference_mode()
def render_batches(
    source: EncodedSource,
    frames: Iterable[NDArray[np.uint8]],
    *,
    relative: bool,
    adapt_scale: bool = False,
    batch_size: int = BATCH_SIZE,
    initial: NDArray[np.uint8] | None = None,
    smoothing: Smoothing | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (driving, prediction), each ``(B, 3, S, S)`` in [0, 1]: :func:`drive` before it rounds."""
    networks = source.networks
    transfer = None if initial is None else _transfer(source, initial, relative, adapt_scale)
    for batch in batched(frames, batch_size):
        if transfer is None:
            transfer = _transfer(source, batch[0], relative, adapt_scale)
        driving = to_tensor(networks, batch)
        found = networks.keypoint_detector(driving)
        yield driving, source.render(transfer(found if smoothing is None else smoothing(found)))


def find_start_frame(
    networks: AnimationModel,
    source: NDArray[np.uint8],
    frames: Iterable[NDArray[np.uint8]],
    *,
    batch_size: int = BATCH_SIZE,
) -> int:
    """Find the driving frame that is most like the source by the model's own keypoints; return its number.

    Reads the frames once and holds one batch of them. To animate from that frame, pass it to :func:`drive` as
    ``initial``: relative motion is then measured from it, backwards as well as forwards in time.
    """
    points = _keypoint_values(networks, frames, batch_size)
    return closest_pose(next(_keypoint_values(networks, [source], 1)), points)


def find_start_frame_by_landmarks(
    finder: PointFinder,
    source: NDArray[np.uint8],
    frames: Iterable[NDArray[np.uint8]],
    *,
    batch_size: int = BATCH_SIZE,
) -> int:
    """Find the driving frame whose landmarks are most like those of the source; return its number.

    Frames in which not all of them are found are passed over.

    Raises:
        UserError: not all of them are found in the source, or in any of the frames.

    """
    goal = next(_landmarks(finder, [source], 1))
    if np.isnan(goal).any():
        raise UserError(f"{finder.name} finds no landmarks in the source; use --best-frame auto or a number")
    points = list(_landmarks(finder, frames, batch_size))  # some hundred bytes each
    if all(np.isnan(found).any() for found in points):
        raise UserError(f"{finder.name} finds no landmarks in the driving frames; use --best-frame auto")
    return closest_pose(goal, points)


def _landmarks(
    finder: PointFinder, frames: Iterable[NDArray[np.uint8]], batch_size: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the points of each frame, (K, 2); not numbers where one of them was not found."""
    for chunk in batched(frames, batch_size):
        pose = finder(np.stack(chunk))
        for points, found in zip(pose.points, pose.found, strict=True):
            yield points if found.all() else np.full_like(points, np.nan)


def model_size(networks: AnimationModel) -> int:
    """Tell the side S of the square pictures that the model works on."""
    return int(networks.arguments["image_size"])


def suitable_batch_size(networks: AnimationModel) -> int:
    """Choose the frames per forward pass: 8 on a GPU; on a CPU up to ``CPU_PIXELS`` pixels, at most 8."""
    if networks.device.type != "cpu":
        return BATCH_SIZE
    return min(BATCH_SIZE, max(1, CPU_PIXELS // model_size(networks) ** 2))


def to_tensor(networks: AnimationModel, pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Bring ``(H, W, 3)`` uint8 pictures to the model's size and device: ``(B, 3, S, S)`` in [0, 1]."""
    stacked = np.stack([to_model(picture, model_size(networks)) for picture in pictures])
    device = networks.device
    return torch.from_numpy(stacked).to(device).permute(0, 3, 1, 2).float().div(255)


def to_pictures(images: Tensor) -> NDArray[np.uint8]:
    """Turn ``(B, C, H, W)`` in [0, 1] into ``(B, H, W, C)`` uint8, rounded to the nearest."""
    pixels = images.clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.asarray(pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy())


@torch.inference_mode()
def _keypoint_values(
    networks: AnimationModel, frames: Iterable[NDArray[np.uint8]], batch_size: int
) -> Iterator[NDArray[np.floating]]:
    for batch in batched(frames, batch_size):
        yield from networks.keypoint_detector(to_tensor(networks, batch))["value"].cpu().numpy()


def _transfer(
    source: EncodedSource, initial: NDArray[np.uint8], relative: bool, adapt_scale: bool
) -> MotionTransfer:
    first: Keypoints = source.networks.keypoint_detector(to_tensor(source.networks, [initial]))
    return MotionTransfer(source.keypoints, first, relative=relative, adapt_scale=adapt_scale)
