"""Rebuild a clip from its first frame: how much of a video a model can say in keypoints."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from animate.errors import UserError
from animate.pipelines.drive import BATCH_SIZE, EncodedSource, model_size, render_batches, to_pictures
from animate.video.image import resize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from animate.pipelines.animation_model import AnimationModel


class Reconstructed(NamedTuple):
    """One frame of a clip, and what the model made of it."""

    source: NDArray[np.uint8]
    """``(S, S, 3)``: the first frame of the clip."""
    target: NDArray[np.uint8]
    """``(S, S, 3)``: this frame."""
    prediction: NDArray[np.uint8]
    """``(S, S, 3)``: the first frame in the pose of this one."""
    l1: float
    """Mean absolute difference of prediction (before rounding) and target, on [0, 1]."""
    copy_l1: float
    """The same for the first frame as the prediction."""


def reconstruct(
    networks: AnimationModel, frames: Iterable[NDArray[np.uint8]], *, batch_size: int = BATCH_SIZE
) -> Iterator[Reconstructed]:
    """Yield every frame of a clip rebuilt from the first, with absolute keypoints.

    This is the "video reconstruction" of Siarohin et al. (2019), section 4: the first frame counts too, and
    a set's L1 is the mean of ``l1`` over its frames. Frames are stretched to the model's square, as in
    training.

    Args:
        networks: a model in evaluation mode, on the device that the work is to be done on.
        frames: the clip, ``(H, W, 3)`` uint8 each; read once, a batch is held at a time.
        batch_size: frames per forward pass.

    Raises:
        UserError: there is no frame.

    """
    size = model_size(networks)
    fitted = (resize(frame, (size, size)) for frame in frames)
    first = next(fitted, None)
    if first is None:
        raise UserError("no frame of the clip can be decoded")
    source = EncodedSource(networks, first)
    for target, prediction in render_batches(
        source, chain([first], fitted), relative=False, batch_size=batch_size
    ):
        own = mean_differences(prediction, target)
        copy = mean_differences(source.picture, target)
        pictures = zip(to_pictures(target), to_pictures(prediction), own, copy, strict=True)
        for target_picture, predicted, l1, copy_l1 in pictures:
            yield Reconstructed(first, target_picture, predicted, l1, copy_l1)


def mean_differences(prediction: Tensor, target: Tensor) -> list[float]:
    """Mean absolute difference over channels and pixels for each of ``(B, 3, H, W)``, broadcast."""
    differences: list[float] = (prediction - target).abs().mean(dim=(1, 2, 3)).tolist()
    return differences
