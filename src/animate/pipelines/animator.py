"""The way in for other programs: a model from a file, pictures in, pictures out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from animate import checkpoints
from animate.errors import UserError
from animate.networks.inference import for_inference
from animate.pipelines.device import resolve
from animate.pipelines.drive import drive, suitable_batch_size
from animate.pipelines.onnx.description import MARKER
from animate.pipelines.onnx.fomm import ExportedFirstOrderModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from animate.pipelines.animation_model import AnimationModel
    from animate.pipelines.keypoint_smoothing import Smoothing

Runtime = Literal["torch", "onnxruntime"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)


@dataclass(frozen=True, slots=True)
class Animator:
    """A First Order Motion Model, ready to animate pictures.

    Several threads may use one at the same time, each with calls of :meth:`drive` of its own: a call keeps
    what it knows to itself and only reads the weights. A generator that :meth:`drive` has returned belongs to
    one thread, as all generators do.

    Args:
        networks: in evaluation mode, on the device that the work is to be done on; nobody may train or move
            them while they are in use.

    """

    networks: AnimationModel

    @classmethod
    def load(cls, checkpoint: str | Path, device: str = "auto", runtime: Runtime = "torch") -> Self:
        """Load a checkpoint of ``animate train`` or ``animate convert``, or what was exported of one.

        Args:
            checkpoint: the file; with ``onnxruntime`` a folder of ``animate export --format onnx``.
            device: ``auto`` (CUDA, else MPS, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            runtime: what computes the networks.

        Raises:
            UserError: the file holds no such model, the device is not there, or there is no such runtime.

        """
        if runtime not in RUNTIMES:
            raise UserError(
                f"runtime={runtime!r}: there is none of this name; known are: {', '.join(RUNTIMES)}"
            )
        if runtime == "onnxruntime":
            return cls(ExportedFirstOrderModel.load(Path(checkpoint), device))
        if (Path(checkpoint) / MARKER).is_file():
            raise UserError(
                f'{checkpoint} is an exported model: load it with runtime="onnxruntime"'
                " (--runtime onnxruntime)"
            )
        return cls(for_inference(checkpoints.load(checkpoint, resolve(device), method="fomm")))

    @property
    def size(self) -> int:
        """The side of the square pictures that it makes."""
        return int(self.networks.arguments["image_size"])

    def drive(
        self,
        source: NDArray[np.uint8],
        frames: Iterable[NDArray[np.uint8]],
        *,
        relative: bool = True,
        adapt_scale: bool = False,
        batch_size: int | None = None,
        initial: NDArray[np.uint8] | None = None,
        smoothing: Smoothing | None = None,
        matte: NDArray[np.float32] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the source in the pose of each driving frame; see :func:`animate.pipelines.drive.drive`.

        Args:
            source: ``(H, W, 3)`` uint8 RGB, any size.
            frames: likewise; any iterable, which is read as far as results are asked for.
            relative: carry over what changed since the initial driving frame, else the pose itself.
            adapt_scale: scale relative movement by the sizes of both objects.
            batch_size: driving frames per forward pass, so many are held at a time; None chooses for the
                device. With a live stream 1 has the least delay.
            initial: the driving frame whose pose is that of the source; the first one unless given.
            smoothing: of the driving keypoints, a new one for every call.
            matte: ``(S, S)`` in [0, 1], 1 on the figure in the source's square; results then have a fourth
                channel that says where the figure has moved.

        Raises:
            UserError: a picture is of another shape or type: the source or ``initial`` at once, a driving
                frame when its turn comes.

        """
        return drive(
            self.networks,
            _checked(source, "source"),
            (_checked(frame, f"driving picture {number}") for number, frame in enumerate(frames)),
            relative=relative,
            adapt_scale=adapt_scale,
            batch_size=batch_size or suitable_batch_size(self.networks),
            initial=None if initial is None else _checked(initial, "initial"),
            smoothing=smoothing,
            matte=matte,
        )


def _checked(picture: Any, name: str) -> NDArray[np.uint8]:
    """Give a picture back. Of floats in [0, 1] a model would make something, and nothing right."""
    shape, kind = getattr(picture, "shape", ()), getattr(picture, "dtype", type(picture).__name__)
    if isinstance(picture, np.ndarray) and kind == np.uint8 and shape[2:] == (3,) and picture.size:
        return picture
    raise UserError(f"{name}: (H, W, 3) uint8 expected, got {tuple(shape)} {kind}; give RGB from 0 to 255")
